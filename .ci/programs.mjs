/**
 * Finds the programs of a deploy that tests start, or unpacks them from the system's packages: nginx, HAProxy and Caddy in front
 * of gateways, Prometheus, and tini, the process 1 of a container. If some are missing, `npm test` leaves out the tests that need
 * them; with `--required`, as in CI, that is an error.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { addLibraries, hasDebianPackages, libraryPathIn, quietly, unpackInto, withLibraries } from './debian.mjs'

const cache = fileURLToPath(new URL('../.cache/programs', import.meta.url))
const record = join(cache, 'programs.json')
const USUAL = ['/usr/sbin', '/usr/local/sbin', '/usr/bin', '/usr/local/bin', '/opt/homebrew/bin']

/** By name: its package, its folder there, and the arguments that print its version. */
const PROGRAMS = {
  nginx: { from: 'nginx', folder: 'sbin', version: ['-v'] },
  haproxy: { from: 'haproxy', folder: 'sbin', version: ['-v'] },
  caddy: { from: 'caddy', folder: 'bin', version: ['version'] },
  prometheus: { from: 'prometheus', folder: 'bin', version: ['--version'] },
  promtool: { from: 'prometheus', folder: 'bin', version: ['--version'] },
  tini: { from: 'tini', folder: 'bin', version: ['--version'] },
}

const say = (line) => process.stderr.write(`takespace: ${line}\n`)
const rootOf = ({ from }) => join(cache, from, 'root')

/** A program that starts, with the folders of its libraries. */
function find(name) {
  const program = PROGRAMS[name]
  const own = join(rootOf(program), 'usr', program.folder)
  for (const dir of [...(process.env.PATH ?? '').split(delimiter), ...USUAL, own].filter(Boolean)) {
    const command = join(dir, name)
    const libraryPath = dir === own ? libraryPathIn(rootOf(program)) : ''
    if (existsSync(command) && quietly(command, program.version, withLibraries(libraryPath)).status === 0)
      return { command, libraryPath }
  }
  return undefined
}

/** Nothing is installed, because an installation would also start a service. */
function unpacked(name) {
  if (!hasDebianPackages()) return undefined
  const { from, folder } = PROGRAMS[name]
  say(`no ${name} here: unpacking the system's package into .cache/programs`)
  const root = rootOf({ from })
  const fill = (get, unpack) => get(from) && unpack() && addLibraries(root, `usr/${folder}/${name}`, get, unpack)
  return unpackInto(root, fill) ? find(name) : undefined
}

const found = {}
for (const name of Object.keys(PROGRAMS)) found[name] = find(name) ?? unpacked(name)
const missing = Object.keys(PROGRAMS).filter((name) => !found[name])
if (missing.length > 0)
  say(`the tests that need ${missing.join(', ')} are left out: install the packages of these names`)
const text = `${JSON.stringify(found, null, 2)}\n`
if (!existsSync(record) || readFileSync(record, 'utf8') !== text) {
  rmSync(record, { force: true })
  mkdirSync(cache, { recursive: true })
  writeFileSync(record, text)
}
if (missing.length > 0 && process.argv.includes('--required')) process.exit(1)

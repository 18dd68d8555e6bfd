/**
 * Finds nginx and HAProxy for the tests of what stands in front of a gateway, or unpacks them from the system's packages.
 * Where there are none, `npm test` leaves these tests out; with `--required`, as in CI, that is an error.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { addLibraries, hasDebianPackages, libraryPathIn, quietly, unpackInto, withLibraries } from './debian.mjs'

const cache = fileURLToPath(new URL('../.cache/proxies', import.meta.url))
const record = join(cache, 'programs.json')
const USUAL = ['/usr/sbin', '/usr/local/sbin', '/usr/bin', '/usr/local/bin', '/opt/homebrew/bin']
const PROGRAMS = ['nginx', 'haproxy']

const say = (line) => process.stderr.write(`takespace: ${line}\n`)
const rootOf = (name) => join(cache, name, 'root')

/** A program that starts, with the folders of its libraries. */
function find(name) {
  const own = join(rootOf(name), 'usr', 'sbin')
  for (const dir of [...(process.env.PATH ?? '').split(delimiter), ...USUAL, own].filter(Boolean)) {
    const command = join(dir, name)
    const libraryPath = dir === own ? libraryPathIn(rootOf(name)) : ''
    if (existsSync(command) && quietly(command, ['-v'], withLibraries(libraryPath)).status === 0)
      return { command, libraryPath }
  }
  return undefined
}

/** Nothing is installed, because an installation would also start a service. */
function unpacked(name) {
  if (!hasDebianPackages()) return undefined
  say(`no ${name} here: unpacking the system's package into .cache/proxies`)
  const root = rootOf(name)
  const fill = (get, unpack) => get(name) && unpack() && addLibraries(root, `usr/sbin/${name}`, get, unpack)
  return unpackInto(root, fill) ? find(name) : undefined
}

const found = Object.fromEntries(PROGRAMS.map((name) => [name, find(name) ?? unpacked(name)]))
const missing = PROGRAMS.filter((name) => !found[name])
if (missing.length > 0) {
  rmSync(record, { force: true })
  say(`the tests behind proxies need ${missing.join(' and ')}, and are left out: install nginx and haproxy`)
  process.exit(process.argv.includes('--required') ? 1 : 0)
}
const text = `${JSON.stringify(found, null, 2)}\n`
if (!existsSync(record) || readFileSync(record, 'utf8') !== text) {
  mkdirSync(cache, { recursive: true })
  writeFileSync(record, text)
}

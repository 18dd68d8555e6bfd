/** Programs of the system: found, or unpacked from the system's packages into .cache/bench; nothing is installed, no service starts. */
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  addLibraries,
  hasDebianPackages,
  libraryPathIn,
  quietly,
  unpackInto,
  withLibraries,
} from '../../.ci/debian.mjs'
import { LeftOut } from './left-out.mjs'

const cache = fileURLToPath(new URL('../../.cache', import.meta.url))
const USUAL = ['/usr/sbin', '/usr/local/sbin', '/usr/bin', '/usr/local/bin', '/opt/homebrew/bin']
/** A proxy that a test run has unpacked is used, too. */
const rootsOf = (name) => [join(cache, 'bench', name, 'root'), join(cache, 'proxies', name, 'root')]

/** How a program says its version, and the text in front of the number. */
const VERSIONS = {
  haproxy: [['-v'], /version (\d[\d.]*)/],
  nginx: [['-v'], /nginx\/(\d[\d.]*)/],
  'nats-server': [['--version'], /v(\d[\d.]*)/],
  wrk: [['-v'], /wrk \w*\/?(\d[\d.]*)/],
}

function find(name) {
  const own = rootsOf(name).flatMap((root) => ['usr/sbin', 'usr/bin'].map((folder) => [join(root, folder), root]))
  const system = [...(process.env.PATH ?? '').split(delimiter), ...USUAL].filter(Boolean).map((folder) => [folder])
  for (const [folder, root] of [...system, ...own]) {
    const command = join(folder, name)
    if (!existsSync(command)) continue
    const env = withLibraries(root ? libraryPathIn(root) : '').env
    const [args, pattern] = VERSIONS[name]
    const { stdout, stderr, error } = quietly(command, args, { env })
    if (!error) return { command, env, version: pattern.exec(`${stdout}${stderr}`)?.[1] ?? '' }
  }
  return undefined
}

function unpacked(name) {
  if (!hasDebianPackages()) return undefined
  const [root] = rootsOf(name)
  const fill = (get, unpack) => {
    if (!get(name) || !unpack()) return false
    const binary = ['usr/sbin', 'usr/bin']
      .map((folder) => join(folder, name))
      .find((path) => existsSync(join(root, path)))
    return binary !== undefined && addLibraries(root, binary, get, unpack)
  }
  return unpackInto(root, fill) ? find(name) : undefined
}

const known = new Map()

/** Returns `{ command, env, version }`. Throws LeftOut if the program is neither here nor in the system's packages. */
export function program(name) {
  if (!known.has(name)) known.set(name, find(name) ?? unpacked(name))
  const found = known.get(name)
  if (!found) throw new LeftOut(`${name} is not here; install it with the system's packages`)
  return found
}

/** Returns name → version of those of these programs that have been asked for. */
export const programVersions = (names) =>
  Object.fromEntries(names.filter((name) => known.get(name)).map((name) => [name, known.get(name).version]))

/** Packages of Debian and Ubuntu, unpacked into a folder of ours: signed, root or not, and nothing of them is installed. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

export const quietly = (command, args, options) =>
  spawnSync(command, args, { encoding: 'utf8', timeout: 300_000, ...options })
const works = (command, args, options) => quietly(command, args, options).status === 0
export const onPath = (tool) => works('sh', ['-c', `command -v ${tool}`])

export const hasDebianPackages = () => onPath('apt-get') && onPath('dpkg-deb')

/**
 * Empties `root` and calls `fill` with what fills it: `get(name)` downloads a package, `unpack()` unpacks all of them,
 * `getAll(name)` downloads a package with all that the system lacks for it. Answers what it answers.
 */
export function unpackInto(root, fill) {
  const cache = join(root, '..')
  const packages = join(cache, 'packages')
  // Lists of our own for when the system has none or outdated ones; this, too, works without being root.
  const lists = join(cache, 'apt')
  for (const folder of [root, packages]) rmSync(folder, { recursive: true, force: true })
  mkdirSync(packages, { recursive: true })
  const asIs = ['-qq', '-o', 'APT::Sandbox::User=root']
  const ownLists = [
    ...asIs,
    '-o',
    `Dir::State=${lists}/state`,
    '-o',
    `Dir::Cache=${lists}/cache`,
    '-o',
    'Dir::State::status=/var/lib/dpkg/status',
  ]
  let options = asIs
  const download = (name) => works('apt-get', [...options, 'download', name], { cwd: packages })
  const get = (name) => {
    if (download(name)) return true
    if (options === ownLists) return false
    for (const folder of ['state/lists/partial', 'cache/archives/partial'])
      mkdirSync(join(lists, folder), { recursive: true })
    if (!works('apt-get', [...ownLists, 'update'])) return false
    options = ownLists
    return download(name)
  }
  /** As an installation that stops before it installs; without the system's locks, so it works without being root. */
  const downloadAll = (name) => {
    const into = ['-o', `Dir::Cache::archives=${packages}`, '-o', 'Debug::NoLocking=1']
    mkdirSync(join(packages, 'partial'), { recursive: true })
    const how = ['-y', '--no-install-recommends', '--download-only']
    const isThere = works('apt-get', [...options, ...into, ...how, 'install', name])
    rmSync(join(packages, 'partial'), { recursive: true, force: true })
    return isThere
  }
  const getAll = (name) => downloadAll(name) || (get(name) && downloadAll(name))
  const unpack = () =>
    readdirSync(packages)
      .filter((name) => name.endsWith('.deb'))
      .every((deb) => works('dpkg-deb', ['-x', join(packages, deb), root]))
  try {
    return fill(get, unpack, getAll)
  } finally {
    for (const folder of [packages, lists]) rmSync(folder, { recursive: true, force: true })
  }
}

/** Folders under `root` with libraries that were unpacked rather than installed, as LD_LIBRARY_PATH has them. */
export function libraryPathIn(root) {
  if (!existsSync(root)) return ''
  const all = readdirSync(root, { recursive: true, withFileTypes: true })
  const folders = all.filter((file) => /\.so(\.|$)/.test(file.name)).map((file) => file.parentPath ?? file.path)
  return [...new Set(folders)].join(':')
}

export const withLibraries = (path) => ({ env: path ? { ...process.env, LD_LIBRARY_PATH: path } : process.env })

/** Adds the libraries that a binary under `root` lacks. Asks the loader, round by round: a library may need others. */
export function addLibraries(root, binary, get, unpack) {
  const tried = new Set()
  for (;;) {
    const { stdout } = quietly('ldd', [join(root, binary)], withLibraries(libraryPathIn(root)))
    const missing = [...(stdout ?? '').matchAll(/^\s*(\S+) => not found/gm)]
      .map((match) => match[1])
      .filter((name) => !tried.has(name))
    if (missing.length === 0) return true
    for (const soname of missing) {
      tried.add(soname)
      // Debian's naming rule: libssl.so.3 is in libssl3, liblua5.1.so.0 in liblua5.1-0; t64 since the change of time_t.
      const [, name, version] = /^(.+)\.so\.?(.*)$/.exec(soname) ?? []
      const guess = name && `${name}${/\d$/.test(name) ? '-' : ''}${version}`.toLowerCase()
      if (!guess || !(get(guess) || get(`${guess}t64`))) return false
    }
    if (!unpack()) return false
  }
}

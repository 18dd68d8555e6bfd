/** Reads npm's lock files: which packages a platform needs, and which are installed. */
import { readFileSync } from 'node:fs'
import { posix } from 'node:path'

/** Returns the packages of a lock file by their path; null if the file is absent or cut off. */
export function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages
  } catch {
    return null
  }
}

const fits = (list, mine) => !list || list.includes(mine)

/** Returns whether an optional package is certain to be installed here. The C library is unknown, so a package that names one is not. */
const isForHere = ({ os, cpu, libc }) => fits(os, process.platform) && fits(cpu, process.arch) && !libc

/**
 * Returns the paths of the packages that must be installed on this platform, by walking the lock file from its root.
 * @param only names of the development packages to start from; all if undefined
 */
export function neededPaths(packages, only) {
  const { dependencies, optionalDependencies, devDependencies = {} } = packages['']
  const chosen = Object.fromEntries(
    Object.entries(devDependencies).filter(([name]) => only === undefined || only.includes(name)),
  )
  const needed = new Set()
  const waiting = [['', { dependencies: { ...dependencies, ...chosen }, optionalDependencies }]]
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const [from, { dependencies, peerDependencies, peerDependenciesMeta = {}, optionalDependencies = {} }] = next
    for (const name of Object.keys({ ...dependencies, ...peerDependencies, ...optionalDependencies })) {
      const path = resolved(packages, from, name)
      const isOptional = name in optionalDependencies || peerDependenciesMeta[name]?.optional
      if (path === null || needed.has(path) || (isOptional && !(name in optionalDependencies))) continue
      if (isOptional && !isForHere(packages[path])) continue
      needed.add(path)
      waiting.push([path, packages[path]])
    }
  }
  return needed
}

/** Returns the path that Node's resolution finds for `name` from the package at `from`; null if the lock file has none. */
function resolved(packages, from, name) {
  for (let folder = from; ; folder = posix.dirname(folder)) {
    const path = posix.join(folder === '.' ? '' : folder, 'node_modules', name)
    if (packages[path]) return path
    if (folder === '' || folder === '.') return null
  }
}

/**
 * Returns whether a lock file names the binaries of every platform. One made where some cannot be had lacks them, and `npm ci` refuses it
 * for that (npm/cli#4828); `npm install` takes the same versions from it.
 */
export const namesEveryPlatform = (packages) =>
  Object.entries(packages).every(([path, { optionalDependencies }]) =>
    Object.keys(optionalDependencies ?? {}).every(
      (name) => packages[`node_modules/${name}`] || packages[`${path}/node_modules/${name}`],
    ),
  )

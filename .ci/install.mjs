/** Installs the packages of a lock file when they are missing or outdated: all of them, or only those that running and building need. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { namesEveryPlatform, neededPaths, packagesOf } from './packages.mjs'

/**
 * The development packages that `npm start` needs beside the dependencies: what the build joins (bundle.mjs), the
 * compiler, types, and what the example imports.
 */
export const FOR_START = [
  '@hono/node-server',
  '@opentelemetry/api',
  '@preact/signals',
  '@types/cookie-signature',
  '@types/node',
  '@types/picomatch',
  '@types/proxy-addr',
  'commander',
  'cookie',
  'cookie-signature',
  'express',
  'forwarded-parse',
  'get-tsconfig',
  'hono',
  'luaparse',
  'picomatch',
  'pino-pretty',
  'preact',
  'prom-client',
  'rolldown',
  'typescript',
  'uplot',
]

export class Install {
  #folder
  #lockFile
  #modules
  /** npm's record of its install. npm writes this file last, so its absence means that the install was interrupted. */
  #record
  /** Our record: the lock file's hash, the major version of Node, and `all` or `start`. */
  #stamp

  constructor(folder) {
    this.#folder = folder
    this.#lockFile = join(folder, 'package-lock.json')
    this.#modules = join(folder, 'node_modules')
    this.#record = join(this.#modules, '.package-lock.json')
    this.#stamp = join(this.#modules, '.takespace-installed')
  }

  get isReadable() {
    return packagesOf(this.#lockFile) !== null
  }

  /** Returns `start` only if nothing more was installed before: an install is never replaced by a smaller one. */
  #setFor(asked) {
    const [, , installed] = this.#stamped()
    return asked === 'start' && (!existsSync(this.#modules) || installed === 'start') ? 'start' : 'all'
  }

  #stamped() {
    return existsSync(this.#stamp) ? readFileSync(this.#stamp, 'utf8').trim().split(' ') : []
  }

  #wanted(set) {
    const hash = createHash('sha256').update(readFileSync(this.#lockFile)).digest('hex').slice(0, 16)
    return [hash, `node${process.versions.node.split('.')[0]}`, set]
  }

  /** Returns why an install is needed, or null. An install that a developer made by hand is as good as ours. */
  staleness(asked = 'all') {
    if (!existsSync(this.#modules)) return 'node_modules is missing'
    const [hash, node, installed] = this.#stamped()
    const set = this.#setFor(asked)
    const [wantedHash, wantedNode] = this.#wanted(set)
    if (node && node !== wantedNode) return `installed under ${node}, this is ${wantedNode}`
    if (set === 'all' && installed === 'start') return 'only what `npm start` needs is installed'
    const have = packagesOf(this.#record)
    if (!have) return 'the last install did not finish'
    const isOurs = hash === wantedHash
    const packages = packagesOf(this.#lockFile)
    for (const path of neededPaths(packages, set === 'start' ? FOR_START : undefined)) {
      if (!have[path]) return hash && !isOurs ? 'package-lock.json changed' : `${path} is not installed`
      const manifest = join(this.#folder, path, 'package.json')
      if (!existsSync(manifest)) return `${path} is missing`
      // npm's record does not do: `npm install --package-lock-only` rewrites the record without installing.
      if (!isOurs && versionIn(manifest) !== packages[path].version) return 'package-lock.json changed'
    }
    if (!isOurs) writeFileSync(this.#stamp, `${this.#wanted(set).join(' ')}\n`)
    return null
  }

  /** Installs and returns null, or returns what went wrong. */
  run(asked = 'all') {
    const set = this.#setFor(asked)
    // The records go first: an install that is interrupted later is then seen to be unfinished.
    rmSync(this.#record, { force: true })
    rmSync(this.#modules, { recursive: true, force: true })
    const failure = set === 'start' ? this.#installForStart() : npmInstall(this.#folder, packagesOf(this.#lockFile))
    if (failure === null) writeFileSync(this.#stamp, `${this.#wanted(set).join(' ')}\n`)
    return failure
  }

  /** Has npm install a smaller package.json with the versions of the whole lock file, in a folder of its own, then moves the packages here. */
  #installForStart() {
    const folder = join(this.#folder, '.cache', 'start')
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
    const manifest = JSON.parse(readFileSync(join(this.#folder, 'package.json'), 'utf8'))
    const lock = JSON.parse(readFileSync(this.#lockFile, 'utf8'))
    const chosen = Object.fromEntries(FOR_START.map((name) => [name, manifest.devDependencies[name]]))
    lock.packages[''].devDependencies = chosen
    writeFileSync(
      join(folder, 'package.json'),
      JSON.stringify({ ...manifest, scripts: undefined, devDependencies: chosen }),
    )
    writeFileSync(join(folder, 'package-lock.json'), JSON.stringify(lock))
    copyFileSync(join(this.#folder, '.npmrc'), join(folder, '.npmrc'))
    const failure = npmInstall(folder, lock.packages)
    if (failure === null) renameSync(join(folder, 'node_modules'), this.#modules)
    rmSync(folder, { recursive: true, force: true })
    return failure
  }
}

const versionIn = (manifest) => JSON.parse(readFileSync(manifest, 'utf8')).version

/** Runs npm in `folder`. Returns null, or what went wrong. */
function npmInstall(folder, packages) {
  const how = namesEveryPlatform(packages) ? ['ci'] : ['install', '--no-save']
  // --include: the build needs development packages, also under NODE_ENV=production or `omit`.
  const args = [...how, '--include=dev', '--include=optional', '--no-audit', '--no-fund']
  const cli = process.env.npm_execpath
  const ownNpm = cli && basename(cli) === 'npm-cli.js'
  const [command, first] = ownNpm ? [process.execPath, [cli]] : ['npm', []]
  const { status, error } = spawnSync(command, [...first, ...args], {
    cwd: folder,
    stdio: ['ignore', process.stderr.fd, 'inherit'],
    shell: !ownNpm && process.platform === 'win32',
  })
  if (error) return `npm cannot be run: ${error.message}`
  return status === 0 ? null : 'the install failed; see above. `npm install --include=dev` runs it alone'
}

/** Makes a clone ready to run: installs and builds what is missing or stale, says so in one line each, and is silent when nothing is to do. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { staleBuild } from './build.mjs'
import { lock } from './lock.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const lockFile = join(root, 'package-lock.json')
const modules = join(root, 'node_modules')
/** npm's own account of what it installed; written at the end of an install, so its absence means that the install was cut short. */
const installed = join(modules, '.package-lock.json')
/** Our account: which lock file, under which Node. */
const stamp = join(modules, '.takespace-installed')

/** null when the file is absent or was cut off. */
const packagesOf = (file) => {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages
  } catch {
    return null
  }
}
// Standard error, because `npm test -- --json` has the standard output for itself.
const say = (line) => process.stderr.write(`takespace: ${line}\n`)
const fail = (line, code = 1) => {
  say(line)
  process.exit(code || 1)
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 19)) fail(`needs Node.js 20.19 or later; this is ${process.versions.node}`)
}

const lockHash = () => createHash('sha256').update(readFileSync(lockFile)).digest('hex').slice(0, 16)
const wantedStamp = () => `${lockHash()} node${process.versions.node.split('.')[0]}\n`

/** Why an install is needed, or null. An install that the developer made by hand is as good as ours. */
function staleInstall() {
  if (!existsSync(modules)) return 'node_modules is missing'
  const ours = existsSync(stamp) ? readFileSync(stamp, 'utf8') : ''
  const now = wantedStamp()
  if (ours && ours.split(' ')[1] !== now.split(' ')[1])
    return `installed under ${ours.trim().split(' ')[1]}, this is ${now.trim().split(' ')[1]}`
  const have = packagesOf(installed)
  if (!have) return 'the last install did not finish'
  for (const [path, wanted] of Object.entries(packagesOf(lockFile))) {
    if (path === '' || (!have[path] && mayBeAbsent(wanted, ours === now))) continue
    if (!have[path]) return ours && ours !== now ? 'package-lock.json changed' : `${path} is not installed`
    const manifest = join(root, path, 'package.json')
    if (!existsSync(manifest)) return `${path} is missing`
    // Not npm's account: `npm install --package-lock-only` rewrites that without installing.
    if (ours !== now && versionIn(manifest) !== wanted.version) return 'package-lock.json changed'
  }
  if (ours !== now) writeFileSync(stamp, now)
  return null
}

const versionIn = (manifest) => JSON.parse(readFileSync(manifest, 'utf8')).version

/** Optional packages are binaries for one platform each. After an install of our own npm has decided which; before, judge by name. */
function mayBeAbsent({ optional, devOptional, os, cpu, libc }, decided) {
  if (!optional && !devOptional) return false
  const fits = (list, mine) => !list || list.includes(mine)
  return decided || Boolean(libc) || !fits(os, process.platform) || !fits(cpu, process.arch)
}

/**
 * Whether the lock file names the binaries of every platform. One made where some cannot be had lacks them, and `npm ci` refuses it
 * for that (npm/cli#4828); `npm install` takes the same versions from it.
 */
function lockIsWhole() {
  const packages = packagesOf(lockFile)
  return Object.entries(packages).every(([path, { optionalDependencies }]) =>
    Object.keys(optionalDependencies ?? {}).every(
      (name) => packages[`node_modules/${name}`] || packages[`${path}/node_modules/${name}`],
    ),
  )
}

function install() {
  // npm's account goes first, so that an interruption at any later moment leaves an install that is seen to be unfinished.
  rmSync(installed, { force: true })
  rmSync(modules, { recursive: true, force: true })
  const how = lockIsWhole() ? ['ci'] : ['install', '--no-save']
  // --include: also under NODE_ENV=production or `omit`, since the build needs the development packages.
  const args = [...how, '--include=dev', '--include=optional', '--no-audit', '--no-fund']
  const cli = process.env.npm_execpath
  const ownNpm = cli && basename(cli) === 'npm-cli.js'
  const [command, first] = ownNpm ? [process.execPath, [cli]] : ['npm', []]
  const { status, error } = spawnSync(command, [...first, ...args], {
    cwd: root,
    stdio: ['ignore', process.stderr.fd, 'inherit'],
    shell: !ownNpm && process.platform === 'win32',
  })
  if (error) fail(`npm cannot be run: ${error.message}`)
  if (status !== 0) fail('the install failed; see above. `npm install --include=dev` runs it alone', status)
  writeFileSync(stamp, wantedStamp())
}

function build() {
  const { status } = spawnSync(process.execPath, [join(root, '.ci', 'build.mjs')], {
    cwd: root,
    stdio: ['ignore', process.stderr.fd, 'inherit'],
  })
  if (status !== 0) fail('the build failed; see above. `npm run build` runs it alone', status)
}

checkNode()
if (!packagesOf(lockFile)) fail('package-lock.json cannot be read; `git checkout package-lock.json` brings it back')
if (staleInstall() || staleBuild()) {
  await lock(join(root, '.cache', 'prepare.lock'), (pid) =>
    say(`waiting for another run to finish preparing (process ${pid})`),
  )
  // Asked again: whoever held the lock before may have done the work.
  const why = staleInstall()
  if (why) say(`installing: ${why}`)
  if (why) install()
  const behind = staleBuild()
  if (behind) say(`building: ${behind}`)
  if (behind) build()
}

/** Makes sure that tests can start a real Redis of their own: finds one, or gets one without touching any that runs here. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  addLibraries,
  hasDebianPackages,
  libraryPathIn,
  onPath,
  quietly,
  unpackInto,
  withLibraries,
} from './debian.mjs'

const OLDEST = 7
const cache = fileURLToPath(new URL('../.cache/redis', import.meta.url))
const unpacked = join(cache, 'root')
const record = join(cache, 'server.json')
const isRoot = process.getuid?.() === 0

const say = (line) => process.stderr.write(`takespace: ${line}\n`)

/** The first server that is new enough, and the too old ones that were passed over. */
function find() {
  const usual = [
    '/usr/bin',
    '/usr/sbin',
    '/usr/local/bin',
    '/usr/local/sbin',
    '/opt/homebrew/bin',
    '/home/linuxbrew/.linuxbrew/bin',
  ]
  // TAKESPACE_REDIS_DIRS replaces where we look, for a server in an unusual place.
  const given = process.env.TAKESPACE_REDIS_DIRS?.split(delimiter)
  const dirs = given ?? [...(process.env.PATH ?? '').split(delimiter), ...usual]
  const own = join(unpacked, 'usr', 'bin')
  const old = []
  for (const dir of [...new Set([...dirs, own])].filter(Boolean)) {
    for (const name of ['redis-server', 'valkey-server']) {
      const command = join(dir, name)
      if (!existsSync(command)) continue
      const libraries = dir === own ? libraryPathIn(unpacked) : ''
      const version = / v=(\d+\.\d+\.\d+)/.exec(
        quietly(command, ['--version'], withLibraries(libraries)).stdout ?? '',
      )?.[1]
      if (version && Number.parseInt(version, 10) >= OLDEST)
        return { server: { command, libraryPath: libraries, version }, old }
      if (version) old.push(`${command} is ${version}`)
    }
  }
  return { server: null, old }
}

/** Nothing is installed, because installing redis-server would also start a service on 6379. */
function unpackDebian() {
  if (!hasDebianPackages()) return false
  say("no Redis 7 here: unpacking the system's packages into .cache/redis")
  return unpackInto(
    unpacked,
    (get, unpack) =>
      get('redis-server') &&
      get('redis-tools') &&
      unpack() &&
      addLibraries(unpacked, 'usr/bin/redis-server', get, unpack),
  )
}

/** Debian keeps the server's binary in redis-tools, which brings no service; it becomes the server by its name. */
function linkTools() {
  if (!existsSync('/usr/bin/redis-check-rdb')) return false
  rmSync(unpacked, { recursive: true, force: true })
  mkdirSync(join(unpacked, 'usr', 'bin'), { recursive: true })
  symlinkSync('/usr/bin/redis-check-rdb', join(unpacked, 'usr', 'bin', 'redis-server'))
  return true
}

/** What each system's package manager calls it. None of these starts a service. */
const MANAGERS = [
  {
    tool: 'apt-get',
    commands: ['apt-get update -qq && apt-get install -y --no-install-recommends redis-tools'],
    after: linkTools,
  },
  { tool: 'brew', commands: ['brew install redis'], anyone: true },
  { tool: 'dnf', commands: ['dnf install -y redis', 'dnf install -y valkey'] },
  { tool: 'apk', commands: ['apk add --no-cache redis', 'apk add --no-cache valkey'] },
  { tool: 'pacman', commands: ['pacman -S --noconfirm valkey'] },
]

function installWith(manager) {
  if (!manager || !(isRoot || manager.anyone)) return
  for (const command of manager.commands) {
    say(`no Redis 7 here: running ${command}`)
    const ran = spawnSync('sh', ['-c', command], { stdio: ['ignore', process.stderr.fd, 'inherit'] }).status === 0
    if (ran && (manager.after ?? (() => true))()) return
  }
}

function main() {
  let found = find()
  const had = Boolean(found.server)
  const manager = MANAGERS.find(({ tool }) => onPath(tool))
  if (!found.server && unpackDebian()) found = find()
  if (!found.server) installWith(manager)
  found = found.server ? found : find()
  if (!found.server) {
    for (const line of found.old) say(`${line}, too old`)
    const sudo = manager && !manager.anyone && !isRoot ? 'sudo ' : ''
    const advice = manager
      ? `Run: ${sudo}${manager.commands[0].replace('&& ', `&& ${sudo}`)}`
      : 'See https://redis.io/docs/latest/operate/oss_and_stack/install/'
    say(`the tests need redis-server ${OLDEST} or later, or valkey-server. ${advice}`)
    process.exit(1)
  }
  const text = `${JSON.stringify(found.server, null, 2)}\n`
  if (!had) say(`tests use ${found.server.command}, version ${found.server.version}`)
  if (existsSync(record) && readFileSync(record, 'utf8') === text) return
  mkdirSync(cache, { recursive: true })
  writeFileSync(record, text)
}

main()

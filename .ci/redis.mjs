/** Makes sure that tests can start a real Redis of their own: finds one, or gets one without touching any that runs here. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
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

/** As the record names it; null without a version, as of what is no server. */
function serverAt(command) {
  const libraryPath = command.startsWith(unpacked) ? libraryPathIn(unpacked) : ''
  const { stdout } = quietly(command, ['--version'], withLibraries(libraryPath))
  const version = / v=(\d+\.\d+\.\d+)/.exec(stdout ?? '')?.[1]
  return version ? { command, libraryPath, version } : null
}

const isNew = ({ version }) => Number.parseInt(version, 10) >= OLDEST

/** The servers that TEST_REDIS_SERVER names, in its order; undefined if it names none. */
function named() {
  const commands = process.env.TEST_REDIS_SERVER?.split(/[,:]/).filter(Boolean)
  return commands?.map((command) => {
    const server = existsSync(command) ? serverAt(resolve(command)) : null
    if (!server || !isNew(server)) {
      const is = server ? `is ${server.version}` : 'is no Redis server'
      say(`TEST_REDIS_SERVER: ${command} ${is}. Give paths of redis-server ${OLDEST} or later, or of valkey-server.`)
      process.exit(1)
    }
    return server
  })
}

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
      const server = existsSync(command) ? serverAt(command) : null
      if (server && isNew(server)) return { server, old }
      if (server) old.push(`${command} is ${server.version}`)
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

/** Finds one or gets one; exits if there is none. */
function foundOrInstalled() {
  let found = find()
  if (found.server) return found.server
  const manager = MANAGERS.find(({ tool }) => onPath(tool))
  if (unpackDebian()) found = find()
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
  say(`tests use ${found.server.command}, version ${found.server.version}`)
  return found.server
}

function main() {
  const [server, ...others] = named() ?? [foundOrInstalled()]
  // jest.config.js runs the suites that depend on the server on the others, too.
  const text = `${JSON.stringify(others.length > 0 ? { ...server, others } : server, null, 2)}\n`
  if (existsSync(record) && readFileSync(record, 'utf8') === text) return
  mkdirSync(cache, { recursive: true })
  writeFileSync(record, text)
}

main()

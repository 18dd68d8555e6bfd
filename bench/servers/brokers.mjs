/** NATS and RabbitMQ servers of the benchmark's own, on free loopback ports, gone when the benchmark ends. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { familyOf } from '../machine/family.mjs'
import { freePort } from '../redis.mjs'
import { program } from './programs.mjs'

const STOP_MS = 10_000

/** Where the server is; if it is nowhere, and this is root on Debian or Ubuntu, its package is installed, without starting what it brings. */
function serverOf(name, ...places) {
  const found = () => places.find((place) => existsSync(place))
  if (!found() && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
    const quiet = { env, stdio: 'ignore', timeout: 300_000 }
    spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', name], quiet)
  }
  const server = found()
  if (!server) throw new Error(`${name} is not here; apt-get install ${name}`)
  return server
}

async function run(name, command, args, env, port, startMs) {
  const folder = env.HOME
  const server = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  const hear = (chunk) => {
    said = (said + chunk).slice(-5_000)
  }
  server.stdout.on('data', hear)
  server.stderr.on('data', hear)
  const exit = once(server, 'exit')
  // With all that it has started, since a server may be a script.
  let family = [server.pid]
  const kill = (signal) => {
    family = [...new Set([...family, ...familyOf(server.pid)])]
    for (const pid of family) {
      try {
        process.kill(pid, signal)
      } catch {
        // It is gone.
      }
    }
  }
  const killed = () => kill('SIGKILL')
  process.once('exit', killed)
  const stop = async () => {
    kill('SIGTERM')
    const bound = setTimeout(killed, STOP_MS)
    await exit
    clearTimeout(bound)
    process.off('exit', killed)
    killed()
    rmSync(folder, { recursive: true, force: true })
  }
  const until = performance.now() + startMs
  while (!(await answers(port))) {
    if (server.exitCode !== null || performance.now() > until) {
      await stop()
      throw new Error(`${name} did not start: ${said.trim().split('\n').at(-1)}`)
    }
    await pause(100)
  }
  return { server, stop }
}

const answers = (port) =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('close', () => socket.destroy()).once('connect', () => socket.end())
  })

const folderFor = (name) => mkdtempSync(join(tmpdir(), `takespace-bench-${name}-`))

export async function startNats() {
  const { command, env: libraries, version } = program('nats-server')
  const port = await freePort()
  const env = { ...libraries, HOME: folderFor('nats') }
  const { server, stop } = await run('nats-server', command, ['-a', '127.0.0.1', '-p', String(port)], env, port, 10_000)
  return { url: `nats://127.0.0.1:${port}`, port, pid: server.pid, version, stop }
}

export async function startRabbit() {
  const command = serverOf('rabbitmq-server', '/usr/lib/rabbitmq/bin/rabbitmq-server')
  const [port, distribution, mapper] = [await freePort(), await freePort(), await freePort()]
  const home = folderFor('rabbit')
  const env = {
    HOME: home,
    RABBITMQ_NODENAME: `takespace${process.pid}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distribution),
    RABBITMQ_MNESIA_BASE: home,
    RABBITMQ_LOG_BASE: home,
    RABBITMQ_PID_FILE: join(home, 'pid'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(home, 'plugins'),
    RABBITMQ_CONFIG_FILE: join(home, 'none'),
    RABBITMQ_CONF_ENV_FILE: join(home, 'none'),
    // Erlang's name server, too, is one of our own, and listens on loopback only.
    ERL_EPMD_PORT: String(mapper),
    ERL_EPMD_ADDRESS: '127.0.0.1',
  }
  const { server, stop } = await run('rabbitmq-server', command, [], env, port, 90_000)
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg's own
  const { stdout = '' } = spawnSync('dpkg-query', ['-W', '-f', '${Version}', 'rabbitmq-server'], { encoding: 'utf8' })
  return {
    url: `amqp://guest:guest@127.0.0.1:${port}`,
    port,
    pid: brokerOf(server.pid),
    version: stdout.split('-')[0],
    async stop() {
      await stop()
      spawnSync('epmd', ['-port', String(mapper), '-kill'], { stdio: 'ignore', env: { ...process.env, ...env } })
    },
  }
}

function nameOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8')
  } catch {
    return ''
  }
}

/** The script starts Erlang, and that is what works. */
function brokerOf(pid) {
  return familyOf(pid).find((each) => nameOf(each).startsWith('beam')) ?? pid
}

/** A Redis server of the benchmark's own: a free loopback port, a temporary folder, gone when the benchmark ends. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'

const START_MS = 10_000
const STOP_MS = 3_000

// Below the ports that systems give to outgoing connections, so that none of ours is one of those.
const LOWEST = 20_000
const HIGHEST = 32_000

export async function freePort() {
  for (;;) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST))
    const server = createServer()
    const free = await new Promise((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
    })
    if (free) return port
  }
}

/** What `.ci/redis.mjs` found or got. */
const found = () => JSON.parse(readFileSync(new URL('../.cache/redis/server.json', import.meta.url), 'utf8'))

export async function startRedis({ aof }) {
  const { command, libraryPath, version } = found()
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'takespace-bench-'))
  const args = ['--bind', '127.0.0.1', '--port', String(port), '--dir', folder, '--save', '']
  args.push('--appendonly', aof ? 'yes' : 'no', '--appendfsync', 'everysec')
  const env = libraryPath ? { ...process.env, LD_LIBRARY_PATH: libraryPath } : process.env
  // In our session: Linux divides the processors between sessions, and a server with one of its own would get more.
  const server = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'ignore'] })
  const exit = once(server, 'exit')
  const kill = () => server.kill('SIGKILL')
  process.once('exit', kill)

  const stop = async () => {
    control?.disconnect()
    server.kill('SIGTERM')
    const bound = setTimeout(kill, STOP_MS)
    await exit
    clearTimeout(bound)
    process.off('exit', kill)
    rmSync(folder, { recursive: true, force: true })
  }

  let control
  try {
    await ready(server)
    control = new Redis({ port, host: '127.0.0.1', retryStrategy: () => null, lazyConnect: true })
    control.on('error', () => {})
    await control.connect()
  } catch (error) {
    await stop()
    throw error
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    pid: server.pid,
    version,
    /** So that nobody measures what another left behind. Function libraries stay. */
    empty: () => control.flushall(),
    /**
     * The sweep looks at each entry for the first time 8 s after its write, in the calls that follow. Entries that have just been
     * filled in would be measured with what their own writes still cost; without the lists of the sweep they are like old ones.
     */
    forgetSweep: async (name) => {
      const lists = await control.keys(`{ts:${name}}:sweep:*`)
      if (lists.length > 0) await control.unlink(...lists)
    },
    stop,
  }
}

/** Its own word: were the port somebody else's, a PING would be answered by a stranger. */
function ready(server) {
  return new Promise((resolve, reject) => {
    let said = ''
    const fail = () => reject(new Error(`redis-server did not start:\n${said}`))
    const timer = setTimeout(fail, START_MS)
    server.once('error', reject).once('exit', fail)
    server.stdout.on('data', (chunk) => {
      said = (said + chunk).slice(-10_000)
      if (!said.includes('Ready to accept connections')) return
      clearTimeout(timer)
      resolve()
    })
  })
}

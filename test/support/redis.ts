/** A real Redis server for one test file, on a port and in a folder of its own, to be killed, frozen and restarted. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './port.js'
import { command } from './resp.js'
import { until } from './until.js'
import { forget, watch } from './watchdog.js'

export interface RedisOptions {
  readonly appendonly?: boolean
  /**
   * While a sync of the disk is slow, `everysec` puts off the writing of what has been answered: a kill -9 loses that (docs/durability.md). So
   * who kills the server and looks for what it had acknowledged asks for `always`.
   */
  readonly appendfsync?: 'always' | 'everysec' | 'no'
  /** More of the server's own, such as `['--maxmemory', '10mb']`. */
  readonly args?: readonly string[]
  /** What it finds in its environment beside ours. */
  readonly env?: Readonly<Record<string, string>>
}

export interface Redis {
  readonly url: string
  readonly port: number
  /** Of the running server, or of the last one. */
  readonly pid: number
  /** Where it keeps its files. */
  readonly folder: string
  /** Resolves when the process is gone. SIGKILL unless said otherwise. */
  kill(signal?: NodeJS.Signals): Promise<void>
  /** The same port and folder; ends the running server with SIGTERM first. Resolves when it answers. */
  restart(): Promise<void>
  /** Freezes it: connections stay open and nothing answers. */
  pause(): void
  resume(): void
  /** Ends it and removes its folder. */
  stop(): Promise<void>
  /** One command over a connection of its own, its reply as redis-cli would print it. */
  cli(...args: string[]): Promise<string>
}

/** `npm run test:quick` sets it: memory is the only engine. */
export const MEMORY_ONLY = process.env.TEST_ENGINES === 'memory'

interface Found {
  readonly command: string
  readonly libraryPath: string
}

/** What `.ci/redis.mjs` found or got. */
function found(): Found {
  if (MEMORY_ONLY) throw new Error('test:quick starts no Redis: put the test into describeOnRedis()')
  try {
    return JSON.parse(readFileSync(new URL('../../.cache/redis/server.json', import.meta.url), 'utf8'))
  } catch (cause) {
    throw new Error('No Redis server is known. Run `npm test`, or `node .ci/redis.mjs` once.', { cause })
  }
}

const exited = (server: ChildProcess): boolean => server.exitCode !== null || server.signalCode !== null

const answers = (port: number): Promise<boolean> =>
  command(port, ['PING']).then(
    (reply) => reply === 'PONG',
    // With `--requirepass`, to be refused is an answer.
    (error) => /NOAUTH/.test(String(error)),
  )

async function launch(port: number, folder: string, options: RedisOptions): Promise<ChildProcess> {
  const { command: binary, libraryPath } = found()
  const { appendonly = false, appendfsync = 'everysec', args = [] } = options
  const own = ['--bind', '127.0.0.1', '--protected-mode', 'yes', '--port', String(port), '--dir', folder, '--save', '']
  const log = ['--appendonly', appendonly ? 'yes' : 'no', '--appendfsync', appendfsync]
  const env = { ...process.env, ...(libraryPath ? { LD_LIBRARY_PATH: libraryPath } : {}), ...options.env }
  const server = spawn(binary, [...own, ...log, ...args], { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  const hear = (chunk: Buffer): void => {
    said = (said + chunk).slice(-10_000)
  }
  server.stdout.on('data', hear)
  server.stderr.on('data', hear)
  server.on('error', hear)
  const { pid } = server
  if (pid === undefined) throw new Error(`${binary} cannot be started`)
  watch(pid, `redis-server on port ${port}`)
  server.on('exit', () => forget(pid))
  // Its own word first: were the port somebody else's, PING alone would be answered by a stranger.
  const ready = async (): Promise<boolean> => said.includes('Ready to accept connections') && (await answers(port))
  await until(() => exited(server) || ready(), `Redis answers on port ${port}`)
  if (exited(server)) throw new Error(`redis-server ended before it answered:\n${said}`)
  return server
}

async function launchSomewhere(folder: string, options: RedisOptions): Promise<{ port: number; server: ChildProcess }> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    try {
      return { port, server: await launch(port, folder, options) }
    } catch (error) {
      // Another test file may take the port between our look and the server's; three times in a row is something else.
      if (attempt === 3) throw error
    }
  }
}

export async function startRedis(options: RedisOptions = {}): Promise<Redis> {
  const folder = mkdtempSync(join(tmpdir(), 'takespace-redis-'))
  let { port, server } = await launchSomewhere(folder, options)

  const kill = async (signal: NodeJS.Signals = 'SIGKILL'): Promise<void> => {
    if (exited(server)) return
    const gone = once(server, 'exit')
    server.kill(signal)
    await gone
  }

  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return server.pid as number
    },
    folder,
    kill,
    async restart() {
      await kill('SIGTERM')
      server = await launch(port, folder, options)
    },
    pause: () => void server.kill('SIGSTOP'),
    resume: () => void server.kill('SIGCONT'),
    async stop() {
      await kill()
      rmSync(folder, { recursive: true, force: true })
    },
    cli: (...args) => command(port, args),
  }
}

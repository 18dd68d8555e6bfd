/** One process of a Redis server binary, whatever it serves as: a server, a Sentinel, a node of a Cluster. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './port.js'
import { command } from './resp.js'
import { until } from './until.js'
import { forget, watch } from './watchdog.js'

export interface ServerProcess {
  readonly pid: number
  /** Resolves when the process is gone. SIGKILL unless said otherwise. */
  kill(signal?: NodeJS.Signals): Promise<void>
  /** Freezes it: connections stay open and nothing answers. */
  pause(): void
  resume(): void
}

/** `npm run test:quick` sets it: memory is the only engine. */
export const MEMORY_ONLY = process.env.TEST_ENGINES === 'memory'

interface Found {
  readonly command: string
  readonly libraryPath: string
}

/** The server of this run of the suite (jest.config.js), else what `.ci/redis.mjs` found or got. */
function found(): Found {
  if (MEMORY_ONLY) throw new Error('test:quick starts no Redis: put the test into describeOnRedis()')
  const { redisServer } = globalThis as { redisServer?: Found }
  if (redisServer) return redisServer
  try {
    return JSON.parse(readFileSync(new URL('../../.cache/redis/server.json', import.meta.url), 'utf8'))
  } catch (cause) {
    throw new Error('No Redis server is known. Run `npm test`, or `node .ci/redis.mjs` once.', { cause })
  }
}

const answers = (port: number): Promise<boolean> =>
  command(port, ['PING']).then(
    (reply) => reply === 'PONG',
    // With `--requirepass`, to be refused is an answer.
    (error) => /NOAUTH/.test(String(error)),
  )

const READY = /Ready to accept connections|Sentinel ID is/

/** Resolves when the server answers on `port`; rejects with what it wrote if it ends before that. */
export async function launchServer(
  port: number,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<ServerProcess> {
  const { command: binary, libraryPath } = found()
  const libraries = libraryPath ? { LD_LIBRARY_PATH: libraryPath } : {}
  const server = spawn(binary, args, {
    env: { ...process.env, ...libraries, ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = (): boolean => server.exitCode !== null || server.signalCode !== null
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
  const ready = async (): Promise<boolean> => READY.test(said) && (await answers(port))
  await until(() => exited() || ready(), `Redis answers on port ${port}`)
  if (exited()) throw new Error(`redis-server ended before it answered:\n${said}`)
  return {
    pid,
    async kill(signal = 'SIGKILL') {
      if (exited()) return
      const gone = once(server, 'exit')
      server.kill(signal)
      await gone
    },
    pause: () => void server.kill('SIGSTOP'),
    resume: () => void server.kill('SIGCONT'),
  }
}

/** On a port and in a folder of its own. */
export interface Server extends ServerProcess {
  readonly port: number
  /** Where it keeps its files. */
  readonly folder: string
  /** Of the running process, or of the last one. */
  readonly pid: number
  /** The same port and folder; ends the running process with SIGTERM first. Resolves when it answers. */
  restart(): Promise<void>
  /** Ends it and removes its folder. */
  stop(): Promise<void>
}

/** Starts what `launch` starts, on a free port. */
export async function startServer(
  folderName: string,
  launch: (port: number, folder: string) => Promise<ServerProcess>,
): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), folderName))
  let { port, server } = await onFreePort((at) => launch(at, folder))
  return {
    port,
    folder,
    get pid() {
      return server.pid
    },
    kill: (signal) => server.kill(signal),
    async restart() {
      await server.kill('SIGTERM')
      server = await launch(port, folder)
    },
    pause: () => server.pause(),
    resume: () => server.resume(),
    async stop() {
      await server.kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function onFreePort(
  launch: (port: number) => Promise<ServerProcess>,
): Promise<{ port: number; server: ServerProcess }> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    try {
      return { port, server: await launch(port) }
    } catch (error) {
      // Another test file may take the port between our look and the server's; three times in a row is something else.
      if (attempt === 3) throw error
    }
  }
}

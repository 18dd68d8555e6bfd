/** A real Redis server for one test file, on a port and in a folder of its own, to be killed, frozen and restarted. */
import { command } from './resp.js'
import { launchServer, type Server, startServer } from './server-process.js'

export { MEMORY_ONLY } from './server-process.js'

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

export interface Redis extends Server {
  readonly url: string
  /** One command over a connection of its own, its reply as redis-cli would print it. */
  cli(...args: string[]): Promise<string>
}

function argsOf(port: number, folder: string, { appendonly, appendfsync, args }: RedisOptions): readonly string[] {
  const own = ['--bind', '127.0.0.1', '--protected-mode', 'yes', '--port', String(port), '--dir', folder, '--save', '']
  const log = ['--appendonly', appendonly ? 'yes' : 'no', '--appendfsync', appendfsync ?? 'everysec']
  return [...own, ...log, ...(args ?? [])]
}

export async function startRedis(options: RedisOptions = {}): Promise<Redis> {
  const server = await startServer('takespace-redis-', (port, folder) =>
    launchServer(port, argsOf(port, folder, options), options.env),
  )
  const { port } = server
  return Object.assign(server, {
    url: `redis://127.0.0.1:${port}`,
    cli: (...args: string[]) => command(port, args),
  })
}

/** Returns how many entries a space has, without those of the control: each process has one. */
export async function entriesIn(redis: Pick<Redis, 'cli'>, name = 'default'): Promise<number> {
  const [all, ofControl] = await Promise.all([
    redis.cli('HLEN', `{ts:${name}}:entries`),
    redis.cli('ZCARD', `{ts:${name}}:free@takespace.Control`),
  ])
  return Number(all) - Number(ofControl)
}

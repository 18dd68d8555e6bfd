/** A Sentinel as a real process, in a folder of its own. */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { command } from './resp.js'
import { launchServer, type Server, startServer } from './server-process.js'

/** The name of the primary at the Sentinels. */
export const MASTER = 'mymaster'

export interface SentinelOptions {
  /** Of the primary, as the Sentinels and clients reach it. */
  readonly primaryPort: number
  readonly quorum: number
  /** Without an answer for so long, a server counts as down. */
  readonly downAfterMs: number
  readonly failoverTimeoutMs: number
  /** Of the servers. */
  readonly password?: string | undefined
  /** Of the Sentinels themselves. */
  readonly sentinelPassword?: string | undefined
}

export interface Sentinel extends Server {
  cli(...args: string[]): Promise<string>
}

const settingsOf = (port: number, folder: string, options: SentinelOptions): string =>
  [
    'bind 127.0.0.1',
    `port ${port}`,
    `dir ${folder}`,
    `sentinel monitor ${MASTER} 127.0.0.1 ${options.primaryPort} ${options.quorum}`,
    `sentinel down-after-milliseconds ${MASTER} ${options.downAfterMs}`,
    `sentinel failover-timeout ${MASTER} ${options.failoverTimeoutMs}`,
    ...(options.password ? [`sentinel auth-pass ${MASTER} ${options.password}`] : []),
    ...(options.sentinelPassword
      ? [`requirepass ${options.sentinelPassword}`, `sentinel sentinel-pass ${options.sentinelPassword}`]
      : []),
  ].join('\n')

export async function startSentinel(options: SentinelOptions): Promise<Sentinel> {
  const server = await startServer('takespace-sentinel-', (port, folder) => {
    const file = join(folder, `${port}.conf`)
    // It keeps its state in this file.
    if (!existsSync(file)) writeFileSync(file, settingsOf(port, folder, options))
    return launchServer(port, [file, '--sentinel'])
  })
  return Object.assign(server, {
    cli: (...args: string[]) => command(server.port, args, undefined, options.sentinelPassword),
  })
}

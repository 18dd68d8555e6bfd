/** A space on a real Redis with its dashboard on a real port, for tests that look at the page. */
import { type FetchFunction, openPort } from '../../src/admin/listen.js'
import { createDashboard, type DashboardOptions } from '../../src/dashboard/index.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import type { Redis } from '../support/redis.js'

export interface Room {
  readonly space: Space
  /** With a slash at its end. */
  readonly url: string
  close(): Promise<void>
}

export async function openRoom(redis: Redis, name: string, options: Partial<DashboardOptions> = {}): Promise<Room> {
  const space = await openSpace(redis.url, { name })
  const dashboard = createDashboard({ space, ...options })
  const at = { host: '127.0.0.1', port: 0, name: 'port', setting: 'the test' }
  const port = await openPort(dashboard.fetch as FetchFunction, at)
  return {
    space,
    url: `http://127.0.0.1:${port.port}/`,
    async close() {
      await port.close()
      await space.close()
    },
  }
}

/** Calls of functions that Redis has had. */
export async function functionCalls(redis: Redis): Promise<number> {
  const stats = await redis.cli('INFO', 'commandstats')
  const of = (name: string): number => Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
  return of('fcall') + of('fcall_ro')
}

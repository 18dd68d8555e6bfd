/** A space that moves from one Redis server to another, for the tests of moves. */

import { type MoveProgress, Mover } from '../../src/engines/redis/mover.js'
import type { MovingEngine } from '../../src/engines/redis/moving.js'
import { copyQueue } from '../../src/engines/redis/queues.js'
import { openSpace } from '../../src/open.js'
import { queueNameOf } from '../../src/scheduler.js'
import type { Space } from '../../src/space.js'
import { type Redis, startRedis } from '../support/redis.js'

export interface Servers {
  readonly old: Redis
  readonly fresh: Redis
  stop(): Promise<void>
}

export interface Addresses {
  readonly old: Pick<Redis, 'url'>
  readonly fresh: Pick<Redis, 'url'>
}

export async function startServers(): Promise<Servers> {
  const [old, fresh] = await Promise.all([startRedis(), startRedis()])
  return { old, fresh, stop: async () => void (await Promise.all([old.stop(), fresh.stop()])) }
}

/** Opens a space with both addresses. */
export const openBoth = ({ old, fresh }: Addresses, name: string): Promise<Space> =>
  openSpace(old.url, { name, nextUrl: fresh.url })

export interface MoveRun {
  readonly progress: MoveProgress[]
  readonly done: Promise<void>
  stop(): void
}

/** Moves a space, as `takespace migrate` does. */
export async function startMove(servers: Addresses, name: string): Promise<MoveRun> {
  const space = await openBoth(servers, name)
  const progress: MoveProgress[] = []
  const stop = new AbortController()
  const queue = queueNameOf(name)
  const carry = () => copyQueue({ url: servers.old.url, nextUrl: servers.fresh.url, access: {}, queue })
  const mover = new Mover(space.engine as MovingEngine, carry, (each) => progress.push(each), stop.signal)
  const done = mover.run().finally(() => space.close())
  done.catch(() => {})
  return { progress, done, stop: () => stop.abort(new Error('stopped')) }
}

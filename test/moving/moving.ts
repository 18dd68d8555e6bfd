/** A space that moves, for the tests of moves: from one Redis server to another, or to several partitions on a Cluster. */
import { carryingOf } from '../../src/engines/redis/carrying.js'
import { keysOf } from '../../src/engines/redis/keys.js'
import { type MoveProgress, Mover } from '../../src/engines/redis/mover.js'
import type { MovingEngine } from '../../src/engines/redis/moving.js'
import { partsOf } from '../../src/engines/redis/partition-count.js'
import { PHASE } from '../../src/engines/redis/protocol.js'
import { openSpace } from '../../src/open.js'
import { queueNameOf } from '../../src/scheduler.js'
import type { Space } from '../../src/space.js'
import { isLong } from '../faults/form.js'
import { startCluster } from '../support/cluster.js'
import { describeOnRedis } from '../support/every-engine.js'
import { violations } from '../support/invariants.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'

export interface Addresses {
  readonly old: { readonly url: string }
  readonly fresh: { readonly url: string }
}

/** What a space moves between. */
export interface Ground extends Addresses {
  /** What is wrong with the space in the partitions that it has at either address; [] if nothing is. */
  violations(name: string): Promise<string[]>
  /** The server that may go once the space has left it. */
  readonly former?: Redis
  /** The number of entries in the old partitions. */
  left(space: Space): Promise<number>
  stop(): Promise<void>
}

export interface Servers extends Ground {
  readonly old: Redis
  readonly fresh: Redis
}

const leftIn = async (space: Space): Promise<number> => {
  const counts = await Promise.all((space.engine as MovingEngine).old.map((moves) => moves.count()))
  return counts.reduce((sum, { entries }) => sum + entries, 0)
}

export async function startServers(): Promise<Servers> {
  const [old, fresh] = await Promise.all([startRedis(), startRedis()])
  return {
    old,
    fresh,
    former: old,
    violations: async (name) => [...(await violations(old, name)), ...(await violations(fresh, name))],
    left: leftIn,
    stop: async () => void (await Promise.all([old.stop(), fresh.stop()])),
  }
}

/** From two partitions to three on one Cluster. */
export async function startOneCluster(): Promise<Ground> {
  const cluster = await startCluster({ primaries: 2 })
  const [old, fresh] = [{ url: `${cluster.url}?partitions=2` }, { url: `${cluster.url}?partitions=3` }]
  const found = async (name: string): Promise<string[]> => {
    const parts = await partsOf(cluster.url, name, 5_000)
    const wrong = parts.map(async (part) => {
      const keys = keysOf(name, part)
      return violations(await cluster.ownerOf(keys.counters), name, keys)
    })
    return (await Promise.all(wrong)).flat()
  }
  return { old, fresh, violations: found, left: leftIn, stop: () => cluster.stop() }
}

/** From a server to three partitions on a Cluster. */
async function startServerAndCluster(): Promise<Ground> {
  const [server, cluster] = await Promise.all([startRedis(), startOneCluster()])
  return {
    ...cluster,
    old: server,
    former: server,
    violations: async (name) => [...(await violations(server, name)), ...(await cluster.violations(name))],
    stop: async () => void (await Promise.all([server.stop(), cluster.stop()])),
  }
}

/** In the short form those that are not `long`. */
const ROUTES: readonly { readonly to: string; readonly start: () => Promise<Ground>; readonly isLong?: boolean }[] = [
  { to: 'to another server', start: startServers },
  { to: 'to other partitions on its Cluster', start: startOneCluster },
  { to: 'to the partitions of a Cluster', start: startServerAndCluster, isLong: true },
]

/** Calls `tests` once for each kind of move. @param only in the short form between two servers alone */
export function everyMove(what: string, tests: (start: () => Promise<Ground>) => void, only?: 'servers'): void {
  const routes = ROUTES.filter((route) => isLong || !(route.isLong || (only && route.start !== startServers)))
  for (const { to, start } of routes) describeOnRedis(`${what}, ${to}`, () => tests(start))
}

/** Opens a space with both addresses. */
export const openBoth = ({ old, fresh }: Addresses, name: string): Promise<Space> =>
  openSpace(old.url, { name, nextUrl: fresh.url })

export interface MoveRun {
  readonly progress: MoveProgress[]
  readonly done: Promise<void>
  stop(): void
}

/** Has the old partitions ask for moves, as a mover does at first. */
export async function beginMoving(space: Space): Promise<void> {
  const { old, fresh, target } = space.engine as MovingEngine
  for (const moves of fresh) await moves.setOrigin(PHASE.arriving)
  for (const moves of old)
    await until(async () => (await moves.setPhase(PHASE.moving, target)).length === 0, 'it moves')
}

/** Moves a space, as `takespace migrate` does. */
export async function startMove(servers: Addresses, name: string): Promise<MoveRun> {
  const space = await openBoth(servers, name)
  const progress: MoveProgress[] = []
  const stop = new AbortController()
  const engine = space.engine as MovingEngine
  const [url, nextUrl] = [servers.old.url, servers.fresh.url]
  const terms = { name, connectTimeoutMs: 5_000, access: {}, url, nextUrl, queue: queueNameOf(name) }
  const mover = new Mover(engine, carryingOf(engine, terms), (each) => progress.push(each), stop.signal)
  const done = mover.run().finally(() => space.close())
  done.catch(() => {})
  return { progress, done, stop: () => stop.abort(new Error('stopped')) }
}

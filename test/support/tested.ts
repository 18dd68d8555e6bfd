/**
 * The server that the promises are tested on: one, or by TEST_ON a primary behind `sentinels`, a `cluster`, or two servers
 * between which the space is `moving`.
 */
import { keysOf } from '../../src/engines/redis/keys.js'
import type { MovingEngine } from '../../src/engines/redis/moving.js'
import { PHASE } from '../../src/engines/redis/protocol.js'
import type { Seeds } from '../../src/engines/redis/wire/address.js'
import { openSpace } from '../../src/open.js'
import { startCluster } from './cluster.js'
import { violations } from './invariants.js'
import { startPrimary } from './primary.js'
import { startRedis } from './redis.js'

export interface Tested {
  readonly url: string
  /** Where the space moves to. */
  readonly nextUrl?: string
  /** Makes a space of this name what it is tested as, before processes join it. */
  prepare?(space: string): Promise<void>
  /** The servers that tell where the primary is. */
  readonly seeds: Seeds['of'] | undefined
  /** Runs a command at every primary. */
  command(...args: string[]): Promise<void>
  /** What is wrong with a space as it stands; [] if nothing is. */
  violations(space: string): Promise<string[]>
  stop(): Promise<void>
}

/** `sentinels`, `cluster`, `moving`, or undefined for a single server. */
export const TEST_ON = process.env.TEST_ON || undefined

const PARTITIONS = 3

async function startOne(): Promise<Tested> {
  const redis = TEST_ON === 'sentinels' ? await startPrimary({ replicas: 1 }) : await startRedis()
  return {
    url: redis.url,
    seeds: TEST_ON === 'sentinels' ? 'sentinel' : undefined,
    command: async (...args) => void (await redis.cli(...args)),
    violations: (space) => violations(redis, space),
    stop: () => redis.stop(),
  }
}

async function startSeveral(): Promise<Tested> {
  const cluster = await startCluster({ primaries: PARTITIONS })
  const parts = Array.from({ length: PARTITIONS }, (_, index) => ({ index, count: PARTITIONS }))
  return {
    url: cluster.url,
    seeds: 'cluster',
    async command(...args) {
      for (const node of await cluster.primaries()) await node.cli(...args)
    },
    async violations(space) {
      const wrong = parts.map(async (part) => {
        const keys = keysOf(space, part)
        return violations(await cluster.ownerOf(keys.counters), space, keys)
      })
      return (await Promise.all(wrong)).flat()
    },
    stop: () => cluster.stop(),
  }
}

/** Two servers. What a test makes is made at the second one, and is looked for in both. */
async function startMoving(): Promise<Tested> {
  const [old, fresh] = await Promise.all([startRedis(), startRedis()])
  return {
    url: old.url,
    nextUrl: fresh.url,
    seeds: undefined,
    async prepare(name) {
      const space = await openSpace(old.url, { name, nextUrl: fresh.url })
      const engine = space.engine as MovingEngine
      for (const moves of engine.fresh) await moves.setOrigin(PHASE.arriving)
      for (const moves of engine.old) await moves.setPhase(PHASE.moving)
      await space.close()
    },
    async command(...args) {
      for (const server of [old, fresh]) await server.cli(...args)
    },
    violations: async (space) => [...(await violations(old, space)), ...(await violations(fresh, space))],
    stop: async () => void (await Promise.all([old.stop(), fresh.stop()])),
  }
}

export function startTested(): Promise<Tested> {
  if (TEST_ON === 'moving') return startMoving()
  return TEST_ON === 'cluster' ? startSeveral() : startOne()
}

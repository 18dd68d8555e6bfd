/** The server that the promises are tested on: one, or by TEST_ON a primary behind `sentinels`, or a `cluster`. */
import { keysOf } from '../../src/engines/redis/keys.js'
import type { Seeds } from '../../src/engines/redis/wire/address.js'
import { startCluster } from './cluster.js'
import { violations } from './invariants.js'
import { startPrimary } from './primary.js'
import { startRedis } from './redis.js'

export interface Tested {
  readonly url: string
  /** The servers that tell where the primary is. */
  readonly seeds: Seeds['of'] | undefined
  /** Runs a command at every primary. */
  command(...args: string[]): Promise<void>
  /** What is wrong with a space as it stands; [] if nothing is. */
  violations(space: string): Promise<string[]>
  stop(): Promise<void>
}

/** `sentinels`, `cluster`, or undefined for a single server. */
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

export const startTested = (): Promise<Tested> => (TEST_ON === 'cluster' ? startSeveral() : startOne())

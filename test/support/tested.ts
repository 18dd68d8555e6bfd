/**
 * The server that the promises are tested on: one, or by TEST_ON a primary behind `sentinels`, a `cluster`, two servers
 * between which the space is `moving`, or a Cluster on which it is `resizing`, moving from two partitions to three.
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

/** `sentinels`, `cluster`, `moving`, `resizing`, or undefined for a single server. */
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

/** A Cluster. `isResizing`: what a test makes is made in new partitions, and is looked for in the old ones, too. */
async function startSeveral(isResizing: boolean): Promise<Tested> {
  const cluster = await startCluster({ primaries: PARTITIONS })
  const generation = isResizing ? 1 : 0
  const parts = Array.from({ length: PARTITIONS }, (_, index) => ({ index, count: PARTITIONS, generation }))
  const [url, nextUrl] = [`${cluster.url}?partitions=2`, `${cluster.url}?partitions=${PARTITIONS}`]
  return {
    ...(isResizing
      ? { url, nextUrl, prepare: (name: string) => beginsToMove(url, nextUrl, name) }
      : { url: cluster.url }),
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

/** Has what tests make from now on go to the new partitions. */
async function beginsToMove(url: string, nextUrl: string, name: string): Promise<void> {
  const space = await openSpace(url, { name, nextUrl })
  const { old, fresh, target } = space.engine as MovingEngine
  for (const moves of fresh) await moves.setOrigin(PHASE.arriving)
  for (const moves of old) await moves.setPhase(PHASE.moving, target)
  await space.close()
}

/** Two servers. What a test makes is made at the second one, and is looked for in both. */
async function startMoving(): Promise<Tested> {
  const [old, fresh] = await Promise.all([startRedis(), startRedis()])
  return {
    url: old.url,
    nextUrl: fresh.url,
    seeds: undefined,
    prepare: (name) => beginsToMove(old.url, fresh.url, name),
    async command(...args) {
      for (const server of [old, fresh]) await server.cli(...args)
    },
    violations: async (space) => [...(await violations(old, space)), ...(await violations(fresh, space))],
    stop: async () => void (await Promise.all([old.stop(), fresh.stop()])),
  }
}

export function startTested(): Promise<Tested> {
  if (TEST_ON === 'moving') return startMoving()
  return TEST_ON === 'cluster' || TEST_ON === 'resizing' ? startSeveral(TEST_ON === 'resizing') : startOne()
}

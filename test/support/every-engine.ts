/** One suite of promises for every engine: the same tests run in memory and on a real Redis server. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import type { Bounds } from '../../src/engine/bounds.js'
import { MemoryEngine } from '../../src/engines/memory/index.js'
import { World } from '../../src/engines/memory/world.js'
import { rightsOf } from '../../src/engines/redis/roles.js'
import { openSpace } from '../../src/open.js'
import { Space } from '../../src/space.js'
import { failOnLeaks } from './leaks.js'
import { partitionedInMemory, partitionedOnRedis } from './partitioned.js'
import { MEMORY_ONLY } from './redis.js'
import { startTested, TEST_ON, type Tested } from './tested.js'

/** A group of tests that start a Redis server. `npm run test:quick` skips it. */
export const describeOnRedis: (what: string, tests: () => void) => void = MEMORY_ONLY ? describe.skip : describe

export interface Opened {
  /** A space that nobody else has; the same one throughout a test. */
  readonly space: Space
  /** Another process's view of the same space. */
  readonly other: Space
  /** One more view of it, whose writes are bounded. */
  bounded(bounds: Bounds): Promise<Space>
  /** What is wrong with it as it stands in Redis; [] if nothing is. */
  violations(): Promise<string[]>
}

const SEVERAL: Readonly<Record<string, string>> = {
  cluster: 'on a Cluster',
  moving: 'moving to another Redis',
  resizing: 'moving to other partitions of its Cluster',
}

/** The number of partitions in which a space is tested. */
const PARTITIONS = 3

/** With `TEST_PARTITIONS=all` every suite is run in several partitions, on Redis too. */
const ALL = process.env.TEST_PARTITIONS === 'all'

export interface Suite {
  readonly what: string
  /**
   * Where the promises are tested in several partitions, too: `memory`, `redis` as well, `all` only if all are asked for
   * (they take long, or are of a layer above), or `none`: they are promises of one partition. Default: `memory` below
   * test/promises, else `all`.
   */
  readonly partitions?: 'memory' | 'redis' | 'all' | 'none'
}

/** Layers above see of partitions what test/promises shows of them. */
const partitionsOf = (path: string | undefined): 'memory' | 'all' =>
  path?.includes('/test/promises/') ? 'memory' : 'all'

let isPartitioned = false

/**
 * A test of what holds within one partition: an order of all entries, a bound of the space, or a transaction over
 * entries that have no key in common (docs/partitions.md). It is left out in several partitions.
 */
export const testInOnePartition = (name: string, run: () => Promise<void> | void): void =>
  (isPartitioned ? test.skip : test)(name, run)

/** Calls `promises` once for each engine; inside a test, `opened()` is the space to test. */
export function everyEngine(
  suite: string | Suite,
  promises: (opened: () => Opened, engine: 'memory' | 'redis') => void,
): void {
  const { what, partitions = partitionsOf(expect.getState().testPath) }: Suite =
    typeof suite === 'string' ? { what: suite } : suite
  const opened = new Set<Space>()
  const kept = (space: Space): Space => {
    opened.add(space)
    return space
  }
  const closeAll = async (): Promise<void> => {
    await Promise.all(Array.from(opened, (space) => space.close()))
    opened.clear()
  }
  const inMemory = (where: string, opener: () => (bounds?: Bounds) => Space): void =>
    describe(`${what}, ${where}`, () => {
      let views: Opened
      afterEach(closeAll)
      beforeEach(() => {
        const make = opener()
        const open = (bounds?: Bounds): Space => kept(make(bounds))
        views = { space: open(), other: open(), bounded: async (bounds) => open(bounds), violations: async () => [] }
      })
      promises(() => views, 'memory')
    })

  // As a user with the least rights of a program and a scheduler: a right that is missing fails the suite that needs it.
  const onRedis = (
    where: string,
    namesOf: (name: string) => string[],
    opener: (url: string, names: string[], bounds?: Bounds, nextUrl?: string) => Promise<Space>,
  ): void =>
    describeOnRedis(`${what}, ${where}`, () => {
      let tested: Tested
      let views: Opened
      let count = 0
      beforeAll(async () => {
        tested = await startTested()
      })
      beforeEach(async () => {
        const names = namesOf(`space ${++count} {:}`)
        const rights = names.flatMap((space) => {
          const terms = { space, database: 0, loads: true, seeds: tested.seeds }
          return [...rightsOf('program', terms), ...rightsOf('scheduler', terms)]
        })
        await tested.command('ACL', 'SETUSER', 'program', 'reset', 'on', '>secret', ...rights)
        const url = tested.url.replace('://', '://program:secret@')
        if (tested.prepare) for (const name of names) await tested.prepare(name)
        const open = async (bounds?: Bounds): Promise<Space> =>
          kept(await opener(url, names, bounds, tested.nextUrl?.replace('://', '://program:secret@')))
        const found = async (): Promise<string[]> =>
          (await Promise.all(names.map((name) => tested.violations(name)))).flat()
        views = { space: await open(), other: await open(), bounded: open, violations: found }
      })
      afterEach(closeAll)
      afterAll(() => tested.stop())
      promises(() => views, 'redis')
    })

  inMemory('in memory', () => {
    const world = new World()
    return (bounds) => new Space(new MemoryEngine(world, bounds), 'memory')
  })
  const onServers = (where: string): void =>
    onRedis(
      where,
      (name) => [name],
      (url, [name], bounds, nextUrl) => openSpace(url, { name, ...bounds, nextUrl }),
    )
  const isOne = TEST_ON === undefined || TEST_ON === 'sentinels'
  if (isOne) onServers(TEST_ON === 'sentinels' ? 'behind Sentinels' : 'on Redis')
  isPartitioned = true
  if (!isOne && partitions !== 'none') onServers(SEVERAL[TEST_ON ?? ''] as string)
  if (partitions !== 'none' && (ALL || partitions !== 'all'))
    inMemory('in memory, in three partitions', () => {
      const worlds = Array.from({ length: PARTITIONS }, () => new World())
      return (bounds) => new Space(partitionedInMemory(worlds, bounds), 'memory')
    })
  if (TEST_ON === undefined && partitions !== 'none' && (ALL || partitions === 'redis'))
    onRedis(
      'on Redis, in three partitions',
      (name) => Array.from({ length: PARTITIONS }, (_, i) => `${name}/${i}`),
      async (url, names, bounds) => new Space(await partitionedOnRedis(url, names, bounds), 'redis'),
    )
  isPartitioned = false

  failOnLeaks()
}

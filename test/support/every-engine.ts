/** One suite of promises for every engine: the same tests run in memory and on a real Redis server. */
import { afterAll, afterEach, beforeAll, beforeEach, describe } from '@jest/globals'
import type { Bounds } from '../../src/engine/bounds.js'
import { MemoryEngine } from '../../src/engines/memory/index.js'
import { World } from '../../src/engines/memory/world.js'
import { rightsOf } from '../../src/engines/redis/roles.js'
import { openSpace } from '../../src/open.js'
import { Space } from '../../src/space.js'
import { violations } from './invariants.js'
import { failOnLeaks } from './leaks.js'
import { MEMORY_ONLY, type Redis, startRedis } from './redis.js'

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

/** Calls `promises` once for each engine; inside a test, `opened()` is the space to test. */
export function everyEngine(what: string, promises: (opened: () => Opened, engine: 'memory' | 'redis') => void): void {
  const opened = new Set<Space>()
  const kept = (space: Space): Space => {
    opened.add(space)
    return space
  }
  const closeAll = async (): Promise<void> => {
    await Promise.all(Array.from(opened, (space) => space.close()))
    opened.clear()
  }

  describe(`${what}, in memory`, () => {
    let views: Opened
    afterEach(closeAll)
    beforeEach(() => {
      const world = new World()
      const open = (bounds?: Bounds): Space => kept(new Space(new MemoryEngine(world, bounds), 'memory'))
      views = { space: open(), other: open(), bounded: async (bounds) => open(bounds), violations: async () => [] }
    })
    promises(() => views, 'memory')
  })

  // As a user with the least rights of a program and a scheduler: a right that is missing fails the suite that needs it.
  describeOnRedis(`${what}, on Redis`, () => {
    let redis: Redis
    let views: Opened
    let names = 0
    beforeAll(async () => {
      redis = await startRedis()
    })
    beforeEach(async () => {
      const name = `space ${++names} {:}`
      const terms = { space: name, database: 0, loads: true }
      const rights = [...rightsOf('program', terms), ...rightsOf('scheduler', terms)]
      await redis.cli('ACL', 'SETUSER', 'program', 'reset', 'on', '>secret', ...rights)
      const url = redis.url.replace('://', '://program:secret@')
      const open = async (bounds?: Bounds): Promise<Space> => kept(await openSpace(url, { name, ...bounds }))
      views = { space: await open(), other: await open(), bounded: open, violations: () => violations(redis, name) }
    })
    afterEach(closeAll)
    afterAll(() => redis.stop())
    promises(() => views, 'redis')
  })

  failOnLeaks()
}

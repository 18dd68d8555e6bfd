/** One suite of promises for every engine: the same tests run in memory and on a real Redis server. */
import { afterAll, afterEach, beforeAll, beforeEach, describe } from '@jest/globals'
import { MemoryEngine } from '../../src/engines/memory/index.js'
import { World } from '../../src/engines/memory/world.js'
import { openSpace } from '../../src/open.js'
import { Space } from '../../src/space.js'
import { failOnLeaks } from './leaks.js'
import { type Redis, startRedis } from './redis.js'

export interface Opened {
  /** A space that nobody else has; the same one throughout a test. */
  readonly space: Space
  /** Another process's view of the same space. */
  readonly other: Space
}

/** Calls `promises` once for each engine; inside a test, `opened()` is the space to test. */
export function everyEngine(what: string, promises: (opened: () => Opened, engine: 'memory' | 'redis') => void): void {
  describe(`${what}, in memory`, () => {
    let opened: Opened | undefined
    afterEach(async () => {
      await Promise.all([opened?.space.close(), opened?.other.close()])
      opened = undefined
    })
    beforeEach(() => {
      const world = new World()
      const open = (): Space => new Space(new MemoryEngine(world), 'memory')
      opened = { space: open(), other: open() }
    })
    promises(() => opened!, 'memory')
  })

  describe(`${what}, on Redis`, () => {
    let redis: Redis
    let opened: Opened | undefined
    let names = 0
    beforeAll(async () => {
      redis = await startRedis()
    })
    beforeEach(async () => {
      const name = `space ${++names} {:}`
      opened = { space: await openSpace(redis.url, { name }), other: await openSpace(redis.url, { name }) }
    })
    afterEach(async () => {
      await Promise.all([opened?.space.close(), opened?.other.close()])
      opened = undefined
    })
    afterAll(() => redis.stop())
    promises(() => opened!, 'redis')
  })

  failOnLeaks()
}

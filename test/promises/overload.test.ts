/** A process that asks for more than can wait to be sent gets an error that says so, and that nothing was done. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { defineEntry, openSpace, type SpaceError } from '../../src/index.js'
import { describeOnRedis } from '../support/every-engine.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Redis, startRedis } from '../support/redis.js'

const Job = defineEntry<{ n: number }>('Job')

describeOnRedis('overload', () => {
  let redis: Redis
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())

  test('operations beyond those that may wait are refused as an overload, and none of the others is lost', async () => {
    const space = await openSpace(redis.url)
    const writes = Array.from({ length: 21_000 }, (_, n) => space.write(Job({ n }), { leaseMs: 60_000 }))
    const settled = await Promise.allSettled(writes)
    const refused = settled.filter((each) => each.status === 'rejected').map(({ reason }) => reason as SpaceError)
    expect(refused.length).toBeGreaterThan(0)
    for (const error of refused) expect(error).toMatchObject({ code: 'OVERLOADED', retryable: true, status: 503 })
    expect((await space.engine.kinds()).get('Job')).toBe(21_000 - refused.length)
    await space.close()
  })
})

failOnLeaks()

/** Functions that somebody flushes while a process loads them: the call that needs them runs all the same. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { defineEntry } from '../../src/entry.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Link, startLink } from '../support/link.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'

const Task = defineEntry<{ id: string }>('Task')

let redis: Redis
let link: Link
let space: Space
beforeAll(async () => {
  redis = await startRedis()
  link = await startLink(redis.port)
  space = await openSpace(link.url)
})
afterAll(async () => {
  await space.close()
  await link.close()
  await redis.stop()
})

test('a call loads the functions as often as they are gone when it arrives', async () => {
  // The reply to the load, and the call after it, are on their way for longer than a flush takes.
  link.delay(100)
  await redis.cli('FUNCTION', 'FLUSH')
  const written = space.write(Task({ id: 't1' }))
  for (let again = 0; again < 2; again++) {
    await until(async () => (await redis.cli('FUNCTION', 'LIST')).includes('takespace_'), 'the functions are there')
    await redis.cli('FUNCTION', 'FLUSH')
  }
  await written
  link.delay(0)
  expect(await space.readIfExists(Task)).toEqual({ id: 't1' })
})

failOnLeaks()

/** Promise 1 over a slow link: what is there is found, also by whose wait is shorter than the way to the space and back. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { Task } from '../support/kinds.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Link, startLink } from '../support/link.js'
import { type Redis, startRedis } from '../support/redis.js'

const SLOW_MS = 50

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

test('a wait that is over before the space has answered does not overlook what is there', async () => {
  await space.write(Task({ id: 't1' }))
  link.delay(SLOW_MS)
  expect(await space.read(Task, { waitMs: 1 })).toEqual({ id: 't1' })
  expect(await space.take(Task, { waitMs: 1 })).toEqual({ id: 't1' })
  expect(await space.take(Task, { waitMs: 1 })).toBeNull()
  link.delay(0)
})

test('a wait ends all the same, within a second, when the space does not answer', async () => {
  link.blackhole()
  const began = performance.now()
  expect(await space.take(Task, { waitMs: 20 })).toBeNull()
  expect(performance.now() - began).toBeLessThan(1_500)
  link.heal()
})

failOnLeaks()

/** Promise 8: a process that was taken for dead, and whose way back is cut once more, does nothing a second time. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { Task } from '../support/kinds.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Link, startLink } from '../support/link.js'
import { type Redis, startRedis } from '../support/redis.js'

let redis: Redis
let link: Link
let far: Space
let near: Space
beforeAll(async () => {
  redis = await startRedis()
  link = await startLink(redis.port)
  far = await openSpace(link.url)
  near = await openSpace(redis.url)
})
afterAll(async () => {
  await Promise.all([far.close(), near.close()])
  await link.close()
  await redis.stop()
})

/** The reply that a session was opened. */
const isHello = (bytes: Buffer): boolean => /^\*[23]\r\n\$1\r\n[FK]\r\n/.test(bytes.toString('latin1'))

test('a write whose answer was lost, and then the answer that the session is a new one, is not done again', async () => {
  await far.readIfExists(Task)
  await link.refuse()
  const lost = link.dropNextReplyThenCut()
  const told = far.write(Task({ id: 't1' })).then(
    () => 'written',
    (error) => error.code,
  )
  await lost
  expect(await near.take(Task, { waitMs: 1_000 })).toEqual({ id: 't1' })
  await near.declareDead(far.session)
  const again = link.dropNextReplyThenCut(isHello)
  await link.accept()
  await again
  expect(await told).toBe('OUTCOME_UNKNOWN')
  expect(await near.takeIfExists(Task)).toBeNull()
})

failOnLeaks()

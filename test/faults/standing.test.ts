/** An offer stands when the space has said so, and not a moment longer than there is a link to hear it by. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import type { Offer } from '../../src/engine.js'
import { templateOf } from '../../src/entry/template.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { Task } from '../support/kinds.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Link, startLink } from '../support/link.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'

let redis: Redis
let link: Link
let space: Space
let names = 0
beforeAll(async () => {
  redis = await startRedis()
})
beforeEach(async () => {
  link = await startLink(redis.port)
  space = await openSpace(link.url, { name: `standing ${++names}` })
})
afterEach(async () => {
  await space.close()
  await link.close()
})
afterAll(() => redis.stop())

const open = (): Promise<Offer> => space.engine.offer(templateOf(Task).encoded, 1, () => {})
const connected = async (): Promise<boolean> => (await space.engine.health()).connected

test('with a new link, not before the space has said so again', async () => {
  const offer = await open()
  expect(offer.standing).toBe(true)
  // So that between the answer that the session stands and the one that the offer does there is time to look.
  link.delay(100)
  link.cut()
  await until(async () => !(await connected()), 'the link is gone')
  expect(offer.standing).toBe(false)
  await until(connected, 'the session stands again')
  expect(offer.standing).toBe(false)
  await until(() => offer.standing, 'the offer stands again')
})

test('one that was made without a link stands when there is one', async () => {
  await link.refuse()
  link.cut()
  await until(async () => !(await connected()), 'the link is gone')
  const offer = await open()
  expect(offer.standing).toBe(false)
  await link.accept()
  await until(() => offer.standing, 'it stands')
})

test('not when the space has forgotten this process, and again when it has joined anew', async () => {
  const offer = await open()
  link.delay(100)
  await using other = await openSpace(redis.url, { name: space.name })
  await other.engine.declareDead(space.presence)
  await until(() => !offer.standing, 'it has heard of it')
  await until(() => offer.standing, 'it stands again')
})

test('not once it has ended, or the space is closed', async () => {
  const [ended, closed] = [await open(), await open()]
  const ending = ended.end()
  expect(ended.standing).toBe(false)
  await ending
  expect(closed.standing).toBe(true)
  await space.close()
  expect(closed.standing).toBe(false)
})

failOnLeaks()

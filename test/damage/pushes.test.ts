/** Pushes that are lost on a link that is up, or that are no pushes: nothing waits for them for ever, and nobody loops. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { createClient } from '../../src/client.js'
import { defineEntry } from '../../src/entry.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { createWorker, type Worker } from '../../workers/index.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Link, startLink } from '../support/link.js'
import { entriesIn, type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { type Bytes, bytesOf, randomOf } from './damage.js'

const Note = defineEntry<{ n: number }>('Note')

let redis: Redis
let bytes: Bytes
let near: Space
let link: Link
let far: Space
let worker: Worker
beforeAll(async () => {
  redis = await startRedis()
})
beforeEach(async () => {
  await redis.cli('FLUSHALL')
  link = await startLink(redis.port)
  near = await openSpace(redis.url)
  far = await openSpace(link.url)
  bytes = bytesOf(redis)
  worker = createWorker({ space: far, service: 'math', tasks: { double: (n: number) => n * 2 }, concurrency: 4 })
  await worker.start()
})
afterEach(async () => {
  link.dropPushes(false)
  await worker.stop()
  await Promise.all([near.close(), far.close()])
  await link.close()
  bytes.close()
})
afterAll(() => redis.stop())

const call = (n: number): Promise<unknown> => createClient({ space: near, service: 'math' }).call('double', n)

test('a worker whose deliveries are lost gets them again once pushes arrive, with all of its credit', async () => {
  link.dropPushes(true)
  const answers = Promise.all([1, 2, 3, 4, 5, 6].map(call))
  await until(() => link.lost >= 4, 'deliveries were lost')
  link.dropPushes(false)
  expect(await answers).toEqual([2, 4, 6, 8, 10, 12])
  expect(await Promise.all([1, 2, 3, 4].map(call))).toEqual([2, 4, 6, 8])
})

test('a take that waits, and whose entry is lost on the way, gets it', async () => {
  const taken = far.take(Note, { waitMs: 60_000 })
  await until(async () => Number(await redis.cli('HLEN', '{ts:default}:shapes')) >= 2, 'the take waits')
  link.dropPushes(true)
  await near.write(Note({ n: 7 }))
  await until(() => link.lost > 0, 'the entry was lost')
  link.dropPushes(false)
  expect(await taken).toMatchObject({ n: 7 })
  expect((await far.engine.health()).gaps).toBeGreaterThan(0)
  expect((await near.engine.health()).gaps).toBe(0)
})

test('a requester whose outcome is lost gets it', async () => {
  const answer = createClient({ space: far, service: 'sums' }).call('triple', 3, { timeoutMs: 60_000 })
  await until(async () => (await entriesIn(redis)) === 1, 'the request waits')
  link.dropPushes(true)
  const other = createWorker({ space: near, service: 'sums', tasks: { triple: (n: number) => n * 3 } })
  await other.start()
  await until(() => link.lost > 0, 'the outcome was lost')
  link.dropPushes(false)
  expect(await answer).toBe(9)
  await other.stop()
})

test('waits whose keys were deleted are registered again', async () => {
  await call(1)
  const queues = (await redis.cli('KEYS', '{ts:default}:queue:*')).split('\n')
  await redis.cli('DEL', '{ts:default}:shapes', '{ts:default}:shape-counts', ...queues)
  expect(await call(2)).toBe(4)
})

test('malformed messages on the channel of a process end where they are malformed, and are counted', async () => {
  const random = randomOf(2)
  const channel = `{ts:default}:pushes:${far.presence}`
  const valid = `${'1'.repeat(13)}ab12_1\ndo1\tid:1\t3\nabc`
  for (let i = 0; i < 200; i++) {
    const length = Math.floor(random() * valid.length)
    const junk = Buffer.from(valid.slice(0, length))
    for (let j = 0; j < 3 && length > 0; j++) junk[Math.floor(random() * length)] = Math.floor(random() * 256)
    await bytes.call('SPUBLISH', channel, junk)
  }
  await bytes.call('SPUBLISH', channel, 'x'.repeat(14))
  await bytes.call('SPUBLISH', `{ts:default}:messages:${far.presence}`, Buffer.from('someone\ndid\t0\t-20\n'))
  expect(await call(4)).toBe(8)
  expect((await far.engine.health()).damaged).toBeGreaterThan(100)
})

failOnLeaks()

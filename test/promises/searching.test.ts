/** What a search costs on Redis: nothing is looked through where an index holds all matches; anything else goes on in bounded slices. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { absent, gt, oneOf } from '../../src/entry/conditions.js'
import { defineEntry } from '../../src/entry.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Redis, startRedis } from '../support/redis.js'

type Fields = { id: string; customer: string; state: string; note: string[] }
const Order = defineEntry<Fields>('Order')
const Together = defineEntry<Fields>('Together', { index: ['customer', 'state', ['state', 'customer']] })
const SLICE = 200
const HALF = 450

let redis: Redis
let space: Space

beforeAll(async () => {
  redis = await startRedis()
})
beforeEach(async () => {
  space = await openSpace(redis.url)
})
afterEach(() => space.close())
afterAll(() => redis.stop())

/** What a search finds, and how often it has asked an index: once, unless a candidate came that does not match. */
async function searched(find: () => Promise<unknown>): Promise<{ found: unknown; asked: number }> {
  await redis.cli('CONFIG', 'RESETSTAT')
  const found = await find()
  const stats = await redis.cli('INFO', 'commandstats')
  return { found, asked: Number(/cmdstat_zrangebyscore:calls=(\d+)/.exec(stats)?.[1] ?? 0) }
}

/** Half of them are of this customer, the other half in this state. */
const fill = (kind: typeof Order): Promise<unknown> =>
  space.writeAll(
    Array.from({ length: 2 * HALF }, (_, i) => {
      const [customer, state] = i < HALF ? ['c', 'done'] : ['d', 'open']
      return kind({ id: String(i), customer: customer!, state: state!, note: ['n'] })
    }),
  )

test('a template over an indexed field that matches nothing looks at no record', async () => {
  await fill(Order)
  const none = await searched(() => space.takeIfExists(Order.template({ customer: 'nobody' })))
  expect(none).toEqual({ found: null, asked: 1 })
  const smallest = await searched(() => space.takeIfExists(Order.template({ customer: 'c', id: 'nobody' })))
  expect(smallest).toEqual({ found: null, asked: 1 })
})

test('two indexed fields of many entries are looked through in slices, fields indexed together are not', async () => {
  await fill(Order)
  await fill(Together)
  const both = { customer: 'c', state: 'open' }
  const slow = await searched(() => space.takeIfExists(Order.template(both)))
  expect(slow.found).toBeNull()
  expect(slow.asked).toBeGreaterThanOrEqual(Math.ceil(HALF / SLICE))
  const quick = await searched(() => space.takeIfExists(Together.template(both)))
  expect(quick).toEqual({ found: null, asked: 1 })
  await space.write(Together({ id: 'match', ...both, note: [] }))
  const match = await searched(() => space.takeIfExists(Together.template(both)))
  expect(match).toMatchObject({ found: { id: 'match' }, asked: 1 })
})

test('oneOf and absent look at matches alone where the fields are indexed; other conditions go on in slices', async () => {
  type Job = { id: number; type: string; owner?: string }
  const Job = defineEntry<Job>('Job', { index: ['type', 'owner'] })
  const jobs = Array.from({ length: 2 * HALF }, (_, id) => Job({ id, type: `t${id % 10}`, owner: 'me' }))
  await space.writeAll(jobs)
  const none = await searched(() => space.takeIfExists(Job.template({ owner: absent() })))
  expect(none).toEqual({ found: null, asked: 1 })
  await space.write(Job({ id: -1, type: 't3' }))
  const free = await searched(() => space.takeIfExists(Job.template({ owner: absent() })))
  expect(free).toEqual({ found: { id: -1, type: 't3' }, asked: 1 })
  // Once in each of the five.
  const five = await searched(() => space.takeIfExists(Job.template({ type: oneOf('t9', 't8', 't7', 't6', 't5') })))
  expect(five).toMatchObject({ found: { id: 5 }, asked: 5 })
  const slow = await searched(() => space.takeIfExists(Job.template({ id: gt(2 * HALF) })))
  expect(slow.found).toBeNull()
  expect(slow.asked).toBeGreaterThanOrEqual(Math.ceil((2 * HALF) / SLICE))
})

failOnLeaks()

/** What Redis holds is bounded: what has ended is swept away, also when nobody asks, and a large body lives as long as its entry. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { defineEntry } from '../../src/entry.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'

const Note = defineEntry<{ id: number; text?: string }>('Note')

const Row = defineEntry<{ n: number }>('Row')
const rows = (from: number) => Array.from({ length: 4_000 }, (_, i) => Row({ n: from + i }))

let redis: Redis
/** Its entries get due while the other tests run. */
let many: Space
let dueAt: number
beforeAll(async () => {
  redis = await startRedis()
  many = await openSpace(redis.url, { name: 'many' })
  for (let from = 0; from < 12_000; from += 4_000) await many.writeAll(rows(from))
  dueAt = performance.now() + 9_500
})
afterAll(() => redis.stop())

test('what has ended leaves nothing behind in a quiet space, whether it was taken or its lease ran out', async () => {
  await using space = await openSpace(redis.url, { name: 'quiet' })
  const left = async (): Promise<string> => redis.cli('KEYS', '{ts:quiet}:[efbx]*')
  const note = (id: number): ReturnType<typeof Note> => Note(id % 10 ? { id } : { id, text: 'x'.repeat(3_000) })
  await space.writeAll(
    Array.from({ length: 150 }, (_, id) => note(id)),
    { leaseMs: 200 },
  )
  expect(await left()).toContain('{ts:quiet}:entries')
  await Promise.all(Array.from({ length: 150 }, (_, id) => space.write(note(id), { leaseMs: 400 })))
  for (let id = 0; id < 50; id++) {
    await space.write(note(id), { priority: 1 })
    await space.take(Note)
  }
  await until(async () => !(await left()).includes('{ts:quiet}'), 'the sweep')
})

test('many writes in one call go through when as many are due to be looked at', async () => {
  await until(() => performance.now() > dueAt, 'they are to be looked at')
  await many.writeAll(rows(12_000))
  expect((await many.engine.kinds()).get('Row')).toBe(16_000)
  await many.close()
})

test('a renewed lease keeps a large body as long as its entry', async () => {
  await using space = await openSpace(redis.url, { name: 'large' })
  const lease = await space.write(Note({ id: 1, text: 'x'.repeat(50_000) }), { leaseMs: 60_000 })
  const ttl = async (): Promise<number> =>
    Number(/-?\d+/.exec(await redis.cli('PTTL', `{ts:large}:body:${lease.id}`))![0])
  await lease.renew(7 * 86_400_000)
  expect(await ttl()).toBeGreaterThan(7 * 86_400_000)
  await lease.renew(Number.POSITIVE_INFINITY)
  expect(await ttl()).toBe(-1)
})

test('an entry whose body is gone is set aside, not read for ever', async () => {
  await using space = await openSpace(redis.url, { name: 'damaged' })
  const first = await space.write(Note({ id: 1, text: 'x'.repeat(50_000) }))
  await space.write(Note({ id: 2 }))
  await redis.cli('DEL', `{ts:damaged}:body:${first.id}`)
  expect(await space.read(Note)).toEqual({ id: 2 })
  const third = await space.write(Note({ id: 3, text: 'x'.repeat(50_000) }), { priority: 1 })
  await redis.cli('DEL', `{ts:damaged}:body:${third.id}`)
  expect(await space.take(Note)).toEqual({ id: 2 })
  expect(await space.takeIfExists(Note)).toBeNull()
})

failOnLeaks()

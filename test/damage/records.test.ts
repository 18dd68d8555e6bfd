/** A damaged record is set aside: it is never delivered, and stops none of those behind it. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { createClient } from '../../src/client.js'
import { DEAD_LETTER, type Stored } from '../../src/engine.js'
import { RECORD } from '../../src/engines/redis/protocol.js'
import { defineEntry } from '../../src/entry.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { createWorker } from '../../workers/index.js'
import { form } from '../faults/form.js'
import { violations } from '../support/invariants.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { type Bytes, bytesOf, flip, randomOf, reasons } from './damage.js'

/** Every how many bytes of a record a bit is flipped. */
const STEP = form(7, 1)

const SIGNATURE_AT = RECORD.signature.from - 1

const Job = defineEntry<{ n: number; text: string }>('Job')

let redis: Redis
let bytes: Bytes
let space: Space
let names = 0
beforeAll(async () => {
  redis = await startRedis()
})
beforeEach(async () => {
  const name = `records-${++names}`
  space = await openSpace(redis.url, { name })
  bytes = bytesOf(redis, name)
})
afterEach(async () => {
  bytes.close()
  await space.close()
})
afterAll(() => redis.stop())

async function takeAll(): Promise<{ n: number; text: string }[]> {
  const taken = []
  for (;;) {
    const entry = await space.takeIfExists(Job)
    if (!entry) return taken
    taken.push({ n: entry.n, text: entry.text })
  }
}

test('with any bit flipped, the others are taken, and it is taken as it was or is a dead letter', async () => {
  const random = randomOf(1)
  await space.write(Job({ n: 0, text: 'x' }))
  const length = [...(await bytes.records()).values()][0]!.length
  await takeAll()
  let aside = 0
  for (let at = 0; at < length; at += STEP) {
    const bit = Math.floor(random() * 8)
    for (const n of [1, 2, 3]) await space.write(Job({ n, text: 'x' }))
    const records = [...(await bytes.records())].filter(([, record]) => record.indexOf('|@Job|') === SIGNATURE_AT)
    const [id, record] = records[1]!
    await bytes.put(id, flip(record, at, bit))
    const taken = await takeAll()
    const letters = await reasons(space)
    const place = `bit ${bit} of byte ${at} of ${JSON.stringify(record.toString('latin1'))}`
    expect([place, taken.filter(({ text }) => text !== 'x')]).toEqual([place, []])
    expect([place, taken.length + letters.length - aside]).toEqual([place, 3])
    expect([place, letters.filter((reason) => reason !== 'damaged' && reason !== 'bodiless')]).toEqual([place, []])
    aside = letters.length
  }
  expect(aside).toBeGreaterThan(length / STEP / 2)
})

test('a large body with a flipped bit is not delivered', async () => {
  await space.write(Job({ n: 1, text: 'y'.repeat(10_000) }))
  const [id] = [...(await bytes.records()).keys()]
  const key = `{ts:${space.name}}:body:${id}`
  await bytes.call('SETRANGE', key, '5000', 'z')
  expect(await takeAll()).toEqual([])
  expect(await reasons(space)).toEqual(['bodiless'])
})

test('a dead letter whose large body is gone can be taken, and nothing of it is left', async () => {
  const letters = { kind: DEAD_LETTER, root: DEAD_LETTER, indexed: [], verified: [] }
  const take = (): Promise<Stored | null> => space.engine.find({ template: letters, take: true, waitMs: 0 })
  for (const isLetterFirst of [false, true]) {
    await space.write(Job({ n: 1, text: 'y'.repeat(10_000) }))
    const [id] = [...(await bytes.records()).keys()] as [string]
    if (isLetterFirst) expect(await space.engine.deadLetter(id, 'nonconforming')).toBe(true)
    await bytes.call('DEL', `{ts:${space.name}}:body:${id}`)
    if (!isLetterFirst) expect(await takeAll()).toEqual([])
    expect((await take())?.body.toString()).toMatch(/^s:bodiless\|@Job\|/)
    expect(await take()).toBeNull()
    expect([...(await bytes.records()).keys()]).toEqual([])
    expect(await violations(redis, space.name)).toEqual([])
  }
})

test('a listing leaves damaged entries out and sets them aside', async () => {
  for (const n of [1, 2, 3]) await space.write(Job({ n, text: 'x' }))
  await space.write(Job({ n: 4, text: 'y'.repeat(10_000) }))
  const records = [...(await bytes.records())].sort(([a], [b]) => (a < b ? -1 : 1))
  const [id, record] = records[1]!
  const large = records[3]![0]
  await bytes.put(id, flip(record, record.length - 2, 0))
  await bytes.call('SETRANGE', `{ts:${space.name}}:body:${large}`, '5000', 'z')
  const listed: number[] = []
  for await (const { n } of space.contents(Job)) listed.push(n)
  expect(listed.length).toBe(2)
  expect((await reasons(space)).sort()).toEqual(['bodiless', 'damaged'])
  await until(async () => (await space.engine.health()).damaged === 2, 'both are counted')
  expect(await violations(redis, space.name)).toEqual([])
})

test('a dead letter that is damaged is replaced by one that says so', async () => {
  await space.write(Job({ n: 1, text: 'x' }))
  const [[id]] = [...(await bytes.records())] as [[string, Buffer]]
  await space.engine.deadLetter(id, 'nonconforming')
  const record = (await bytes.records()).get(id) as Buffer
  await bytes.put(id, flip(record, record.length - 2, 0))
  expect(await reasons(space)).toEqual([])
  expect(await reasons(space)).toEqual(['damaged'])
  expect(await violations(redis, space.name)).toEqual([])
})

test('what is found by one index is removed from the others, too', async () => {
  await space.write(Job({ n: 1, text: 'x' }))
  const [[id, record]] = [...(await bytes.records())] as [[string, Buffer]]
  await bytes.put(id, flip(record, 10, 3))
  expect(await space.takeIfExists(Job.template({ n: 1 }))).toBeNull()
  expect(await space.takeIfExists(Job.template({ text: 'x' }))).toBeNull()
  expect(await space.takeIfExists(Job)).toBeNull()
  expect(await bytes.call('ZCARD', `{ts:${space.name}}:free@Job`)).toBe(0)
})

/** Takes an entry out of all indexes, as damage would. */
async function lose(id: string): Promise<void> {
  for (const key of (await bytes.call('KEYS', `{ts:${space.name}}:free*`)) as string[])
    await bytes.call('ZREM', key, id)
}

test('a repair restores what is in no index, but nothing that a transaction hides', async () => {
  for (const n of [1, 2]) await space.write(Job({ n, text: 'x' }))
  await using tx = await space.begin()
  expect(await space.take(Job.template({ n: 1 }), { tx, waitMs: 0 })).not.toBeNull()
  const lost = [...(await bytes.records())].find(([, record]) => record.includes('n=n:2')) as [string, Buffer]
  await lose(lost[0])
  expect(await space.repair()).toEqual({ entries: 2, restored: 1, damaged: 0, unsure: 0 })
  expect(await takeAll()).toEqual([{ n: 2, text: 'x' }])
})

test('a repair does not look through any number of claims: it leaves what may be held, and counts it', async () => {
  await space.write(Job({ n: 1, text: 'x' }))
  const [id] = [...(await bytes.records()).keys()] as [string]
  const claims = Array.from({ length: 30_000 }, (_, n) => `held-${n}:1`)
  const presence = 'p'.repeat(22)
  const keyOf = (name: string): string => `{ts:${space.name}}:${name}`
  // A living process has the connection on which it listens.
  const other = bytesOf(redis, space.name)
  await other.call('SUBSCRIBE', keyOf(`pushes:${presence}`))
  await bytes.call('HSET', keyOf(`presence:${presence}`), 'run', '1')
  await bytes.call('SADD', keyOf(`claims:${presence}`), ...claims)
  await bytes.call('ZADD', keyOf('presences'), String(Date.now() + 600_000), presence)
  await lose(id)
  expect(await space.repair()).toEqual({ entries: 1, restored: 0, damaged: 0, unsure: 1 })
  await bytes.call('DEL', keyOf(`claims:${presence}`))
  expect(await space.repair()).toEqual({ entries: 1, restored: 1, damaged: 0, unsure: 0 })
  expect(await takeAll()).toEqual([{ n: 1, text: 'x' }])
  other.close()
})

test('a waiting request that is damaged is answered as lost, and its slot is free for the next', async () => {
  const client = createClient({ space, service: 'math' })
  const answered = client.call('double', 1, { timeoutMs: 20_000 }).catch((error) => error.code)
  await until(async () => (await bytes.records()).size === 1, 'the request waits')
  const [[id, record]] = [...(await bytes.records())] as [[string, Buffer]]
  await bytes.put(id, flip(record, record.length - 2, 1))
  const other = await openSpace(redis.url, { name: space.name })
  const worker = createWorker({
    space: other,
    service: 'math',
    tasks: { double: (n: number) => n * 2 },
    concurrency: 1,
  })
  await worker.start()
  expect(await answered).toBe('WORKER_LOST')
  expect(await client.call('double', 2)).toBe(4)
  await worker.stop()
  await other.close()
})

failOnLeaks()

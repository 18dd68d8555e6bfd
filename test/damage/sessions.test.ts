/** A damaged session entry is never delivered wrong: it ends, is reported, and its user begins a new session. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { openSpace } from '../../src/open.js'
import { type SessionEnded, SpaceSessionStore, type StoredSession } from '../../src/session/index.js'
import type { Space } from '../../src/space.js'
import { deadLetters } from '../../src/tasks/requeue.js'
import { form } from '../faults/form.js'
import { violations } from '../support/invariants.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { type Bytes, bytesOf, flip, randomOf, reasons } from './damage.js'

/** Every how many bytes of an entry a bit is flipped. */
const STEP = form(5, 1)
const USER = 'zoë'

let redis: Redis
let bytes: Bytes
let spaces: Space[]
let near: SpaceSessionStore
let far: SpaceSessionStore
let name = ''
let names = 0
beforeAll(async () => {
  redis = await startRedis()
})
beforeEach(async () => {
  name = `sessions-${++names}`
  spaces = await Promise.all([1, 2].map(() => openSpace(redis.url, { name })))
  const [first, second] = spaces.map((space) => new SpaceSessionStore({ space, userOf: ({ user }) => user }))
  near = first!
  far = second!
  bytes = bytesOf(redis, name)
})
afterEach(async () => {
  bytes.close()
  await Promise.all(spaces.map((space) => space.close()))
})
afterAll(() => redis.stop())

const sessionOf = (cart: string): StoredSession => ({ cookie: { originalMaxAge: 600_000 }, user: USER, cart, seen: 1 })

const keyOf = (id: string): string => `{ts:${name}}:session:${near.idOf(id)}`

async function storedAt(id: string): Promise<Buffer> {
  return Buffer.from((await bytes.call('GET', keyOf(id))) as string)
}

const attributesOf = (session: StoredSession | null): Record<string, unknown> | null => {
  if (!session) return null
  const { cookie: _, ...attributes } = session
  return attributes
}

/** Flips a bit of each session that `prepare` makes. Returns how many have ended, and how many flips there were. */
async function flipEach(
  prepare: (id: string) => Promise<() => Promise<Record<string, unknown> | null>>,
  right: Record<string, unknown>,
): Promise<{ ended: number; flips: number }> {
  const random = randomOf(1)
  let ended = 0
  let flips = 0
  let length = 1
  for (let at = 0; at < length; at += STEP) {
    const id = `s${at}`
    const look = await prepare(id)
    const stored = await storedAt(id)
    length = stored.length
    const bit = Math.floor(random() * 8)
    await bytes.call('SET', keyOf(id), flip(stored, at, bit))
    const found = await look()
    const place = `bit ${bit} of byte ${at} of ${JSON.stringify(stored.toString())}`
    if (found) expect([place, found]).toEqual([place, right])
    flips++
    if (!found) ended++
  }
  return { ended, flips }
}

test('with any bit flipped it has ended: the next request begins a new session, and others are unaffected', async () => {
  await near.set('other', sessionOf('tea'))
  const right = attributesOf(sessionOf('größe')) as Record<string, unknown>
  const { ended, flips } = await flipEach(async (id) => {
    await near.set(id, sessionOf('größe'))
    return async () => attributesOf(await far.get(id))
  }, right)
  expect(ended).toBe(flips)
  expect(await reasons(spaces[0]!)).toEqual(Array.from({ length: flips }, () => 'damaged'))
  await until(async () => (await spaces[1]!.engine.health()).damaged === flips, 'all are counted')
  expect(attributesOf(await far.get('other'))).toEqual(attributesOf(sessionOf('tea')))
  expect(await far.destroyAll(USER)).toBe(1)
  expect(await violations(redis, name)).toEqual([])
}, 120_000)

test('a save of other attributes does not hide the damage', async () => {
  const right = { ...attributesOf(sessionOf('tea')), seen: 2, more: true }
  const { ended, flips } = await flipEach(async (id) => {
    await near.set(id, sessionOf('tea'))
    const [first, second] = (await Promise.all([near.get(id), far.get(id)])) as [StoredSession, StoredSession]
    first.more = true
    await near.set(id, first)
    return async () => {
      second.seen = 2
      await far.set(id, second)
      return attributesOf(await near.get(id))
    }
  }, right)
  expect(ended).toBeGreaterThan(flips / 2)
  await far.destroyAll(USER)
  await near.clear()
  expect(await violations(redis, name)).toEqual([])
}, 120_000)

test('its end is told as destroyed, its lock is over, and no text of it is kept', async () => {
  const locking = new SpaceSessionStore({ space: spaces[1]!, policy: 'lock' })
  await near.set('a', sessionOf('a secret'))
  const ends: SessionEnded[] = []
  const registration = await near.notify((end) => ends.push(end))
  const held = (await locking.get('a')) as StoredSession
  const stored = await storedAt('a')
  await bytes.call('SET', keyOf('a'), flip(stored, stored.indexOf('secret'), 0))
  expect(await near.get('a')).toBeNull()
  await until(async () => ends.length > 0, 'the end is told')
  expect(ends).toMatchObject([{ id: near.idOf('a'), reason: 'destroyed' }])
  held.cart = 'another'
  await locking.set('a', held)
  expect(await locking.get('a')).toBeNull()
  for await (const [letter, fields] of deadLetters(spaces[0]!)) {
    expect(JSON.stringify([letter, fields])).not.toContain('secret')
  }
  expect(await violations(redis, name)).toEqual([])
  await registration.cancel()
})

failOnLeaks()

/**
 * A release works in the layout of an older one for as long as older processes are there, and raises the space when the last of them has
 * left; from then on older releases are refused.
 */
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { KEYS } from '../../src/engines/redis/key-names.js'
import { keysOf } from '../../src/engines/redis/keys.js'
import { SHARED } from '../../src/engines/redis/protocol.js'
import { gt, gte, lte } from '../../src/entry/conditions.js'
import { ordered } from '../../src/entry/ordered.js'
import { defineEntry } from '../../src/entry.js'
import { openSpace } from '../../src/open.js'
import { Space } from '../../src/space.js'
import { LANES, moveAll, openAccounts, outcomeOf } from '../partitions/accounts.js'
import { changedBuild } from '../support/builds.js'
import { violations } from '../support/invariants.js'
import { layoutOf, setLayout } from '../support/layout.js'
import { failOnLeaks } from '../support/leaks.js'
import { partitionedOnRedis } from '../support/partitioned.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'

const Task = defineEntry<{ n: number }>('Task')
/** A name of a process of a release that did not record which layout it knows. */
const OLDER = 'older-process---------'

let redis: Redis
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis.stop())

const presencesOf = (name: string): string => `${keysOf(name).prefix}${KEYS.presences.name}`
const presenceOf = (name: string): string => `${keysOf(name).prefix}${KEYS.presence.name}${OLDER}`

/** Has a process of layout 4 in the space. */
async function olderJoins(name: string): Promise<void> {
  await redis.cli('HSET', presenceOf(name), 'run', 'none', 'born', '1')
  await redis.cli('ZADD', presencesOf(name), String(SHARED.neverMs), OLDER)
}

async function olderLeaves(name: string): Promise<void> {
  await redis.cli('ZREM', presencesOf(name), OLDER)
  await redis.cli('DEL', presenceOf(name))
}

test('beside a process of layout 4 all works but what layout 4 has not, which says who is there; without it the space is raised', async () => {
  const names = LANES.map((_, i) => `raised/${i}`)
  const space = new Space(await partitionedOnRedis(redis.url, names), 'redis')
  const span = { span: 'all' } as const
  const move = (transfer: string): Promise<void> => space.transact((tx) => moveAll(space, tx, transfer), span)
  try {
    // The second partition is the one that has to be prepared.
    await olderJoins(names[1]!)
    for (const name of names) await setLayout(redis, 4, name)
    await openAccounts(space, 'early')
    await expect(move('early')).rejects.toMatchObject({ code: 'OLDER_PROCESSES', retryable: true })
    await expect(move('early')).rejects.toThrow(OLDER)
    expect(await outcomeOf(space, 'early')).toBe('nothing')
    await space.transact((tx) => space.write(Task({ n: 1 }), { tx }), span)
    expect(await space.take(Task)).toEqual({ n: 1 })
    await until(
      async () => (await layoutOf(redis, names[0])).layout === SHARED.layout,
      'a partition without it is raised',
    )
    expect(await layoutOf(redis, names[1])).toMatchObject({ layout: 4 })
    await olderLeaves(names[1]!)
    await openAccounts(space, 'late')
    await move('late')
    expect(await outcomeOf(space, 'late')).toBe('all')
    for (const name of names) {
      await until(async () => (await layoutOf(redis, name)).layout === SHARED.layout, 'each is raised')
      expect(await violations(redis, name)).toEqual([])
    }
  } finally {
    await space.close()
  }
})

test('a quiet space is raised by a beat, and one that nobody is in by the next process', async () => {
  const name = 'quiet'
  await using space = await openSpace(redis.url, { name })
  await space.write(Task({ n: 1 }))
  await olderJoins(name)
  await setLayout(redis, 4, name)
  await space.write(Task({ n: 2 }))
  expect(await layoutOf(redis, name)).toMatchObject({ layout: 4 })
  await olderLeaves(name)
  await until(async () => (await layoutOf(redis, name)).layout === SHARED.layout, 'a beat raises it')
  await space.close()
  await setLayout(redis, 4, name)
  await using next = await openSpace(redis.url, { name })
  expect(await layoutOf(redis, name)).toMatchObject({ layout: SHARED.layout })
  expect((await next.takeAll([Task], { waitMs: 0 })).map(({ n }) => n)).toEqual([1, 2])
})

test('beside a process of an older layout a wait with conditions is refused, and says who is there; a search is not', async () => {
  const name = 'conditional'
  await using space = await openSpace(redis.url, { name })
  await olderJoins(name)
  await setLayout(redis, 5, name)
  await space.write(Task({ n: 1 }))
  const refusal = { code: 'OLDER_PROCESSES', retryable: true, message: expect.stringContaining(OLDER) }
  await expect(space.take(Task.template({ n: gt(1) }))).rejects.toMatchObject(refusal)
  await expect(space.takeAll([Task.template({ n: gt(1) }), Task.template({ n: 7 })])).rejects.toMatchObject(refusal)
  await expect(space.notify([Task.template({ n: gt(1) })], () => {})).rejects.toMatchObject(refusal)
  expect(await space.take(Task.template({ n: lte(1) }), { waitMs: 60_000 })).toEqual({ n: 1 })
  expect(await space.take(Task.template({ n: gt(1) }), { waitMs: 0 })).toBeNull()
  await olderLeaves(name)
  const waiting = space.take(Task.template({ n: gt(1) }))
  await space.write(Task({ n: 2 }))
  expect(await waiting).toEqual({ n: 2 })
  expect(await layoutOf(redis, name)).toMatchObject({ layout: SHARED.layout })
  expect(await violations(redis, name)).toEqual([])
})

test('entries that were written in an older layout come in the order of a field once the space is raised', async () => {
  const name = 'in order'
  const Job = defineEntry<{ n: number }>('Job', { index: [ordered('n')] })
  await using space = await openSpace(redis.url, { name })
  await olderJoins(name)
  await setLayout(redis, 6, name)
  const numbers = Array.from({ length: 300 }, (_, i) => (i * 7) % 300)
  await space.writeAll(numbers.map((n) => Job({ n })))
  // Found, though in no order yet.
  expect(await space.takeIfExists(Job.template({ n: gt(298) }))).toEqual({ n: 299 })
  const tx = await space.begin()
  await space.take(Job.template({ n: lte(0) }), { tx })
  await olderLeaves(name)
  await until(async () => {
    const { layout, isConverting } = await layoutOf(redis, name)
    return layout === SHARED.layout && !isConverting
  }, 'it is raised and converted')
  await tx.abort()
  const taken = await space.takeAll([Job.template({ n: gte(0) })], { max: 1_000, waitMs: 0 })
  expect(taken.map(({ n }) => n)).toEqual(Array.from({ length: 299 }, (_, n) => n))
  expect(await violations(redis, name)).toEqual([])
})

/** What a later release adds: a number, and a function that converts the entries, some at a time. */
const CONVERTS = `local CONVERSIONS = {
  [${SHARED.layout + 1}] = function(cursor)
    local got = call('HSCAN', keys.entries, cursor, 'COUNT', 20)
    for i = 1, #got[2], 2 do call('HINCRBY', prefix .. 'converted', got[2][i], 1) end
    return got[1] ~= '0' and got[1] or nil
  end,
`

test('a later release converts the data in slices once the older one has left, serves meanwhile, and refuses it from then on', async () => {
  const name = 'converted'
  const dist = changedBuild({
    name: 'a later layout',
    of: 'lua',
    pieces: [
      [`LAYOUT = ${SHARED.layout}\n`, `LAYOUT = ${SHARED.layout + 1}\n`],
      ['local CONVERSIONS = {\n', CONVERTS],
    ],
  })
  const later = (await import(join(dist, 'src', 'index.js'))) as typeof import('../../src/index.js')
  const LaterTask = later.defineEntry<{ n: number }>('Task')
  const all = Array.from({ length: 300 }, (_, n) => n)
  const older = await openSpace(redis.url, { name })
  await older.writeAll(all.map((n) => Task({ n })))
  const newer = await later.openSpace(redis.url, { name })
  try {
    for (const n of [300, 301]) {
      // Each takes what the other writes.
      await newer.write(LaterTask({ n }))
      expect(await older.takeIfExists(Task.template({ n }))).toEqual({ n })
      await older.write(Task({ n }))
      expect(await newer.takeIfExists(LaterTask.template({ n }))).toMatchObject({ n })
    }
    expect(await layoutOf(redis, name)).toMatchObject({ layout: SHARED.layout })
    await older.close()
    await until(async () => (await layoutOf(redis, name)).layout === SHARED.layout + 1, 'it is raised')
    await expect(openSpace(redis.url, { name })).rejects.toMatchObject({ code: 'DATA_NEWER' })
    let served = 0
    await until(async () => {
      await newer.write(LaterTask({ n: -1 }))
      if (await newer.takeIfExists(LaterTask.template({ n: -1 }))) served++
      return !(await layoutOf(redis, name)).isConverting
    }, 'all is converted')
    expect(served).toBeGreaterThan(0)
    const converted = (await redis.cli('HKEYS', `${keysOf(name).prefix}converted`)).split('\n')
    expect(converted.length).toBeGreaterThanOrEqual(all.length)
    const taken = await newer.takeAll([LaterTask], { max: 1_000, waitMs: 0 })
    expect(taken.map((entry) => (entry as { n: number }).n)).toEqual(all)
  } finally {
    await newer.close()
  }
})

failOnLeaks()

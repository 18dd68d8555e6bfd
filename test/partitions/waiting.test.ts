/** Waits over several partitions: one entry for each, none lost between two partitions, and nothing left behind. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { Find, Stored } from '../../src/engine.js'
import { MemoryEngine } from '../../src/engines/memory/index.js'
import { PartitionedEngine } from '../../src/engines/partitions/index.js'
import { KEYS } from '../../src/engines/redis/key-names.js'
import { keysOf } from '../../src/engines/redis/keys.js'
import { serveRequests } from '../../src/request.js'
import { Space } from '../../src/space.js'
import { OK, outcomeOf, send } from '../faults/requests.js'
import { describeOnRedis } from '../support/every-engine.js'
import { Other } from '../support/kinds.js'
import { failOnLeaks } from '../support/leaks.js'
import { partitionedOnRedis } from '../support/partitioned.js'
import { pending } from '../support/pending.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { Keyed, laneOf, spaceOn, worldsOf } from './spaces.js'

const LANES = [laneOf(0, 3), laneOf(1, 3), laneOf(2, 3)] as const
const LOAD_MS = 2_000
const idle = (space: Space) => () => space.readIfExists(Other)

test('a wait is served from whichever partition has a match, and only once', async () => {
  const worlds = worldsOf(3)
  const [space, other] = [spaceOn(worlds), spaceOn(worlds)]
  for (const lane of [...LANES, ...LANES]) {
    const waiting = space.take(Keyed)
    expect(await pending(waiting, idle(space))).toBe(true)
    // One in every partition, in the same turn.
    await Promise.all(LANES.map((each) => other.write(Keyed({ id: each === lane ? 'first' : 'more', lane: each }))))
    await waiting
    expect(await other.takeAll([Keyed], { waitMs: 0 })).toHaveLength(2)
  }
  await Promise.all([space.close(), other.close()])
})

/** Counts what is asked of a partition. */
class Counting extends MemoryEngine {
  finds = 0

  override find(find: Find): Promise<Stored | null> {
    this.finds++
    return super.find(find)
  }
}

test('a take asks no more while all that matches is held by a transaction that has read it', async () => {
  const worlds = worldsOf(3)
  const other = spaceOn(worlds)
  const members = worlds.map((world) => new Counting(world, {}, 'counting'))
  const space = new Space(new PartitionedEngine(members), 'memory')
  const finds = (): number => members.reduce((sum, member) => sum + member.finds, 0)
  // In two partitions: a wait that is called to each in turn would never rest.
  const readers = await Promise.all([other.begin(), other.begin()])
  for (const [i, tx] of readers.entries()) {
    await other.write(Keyed({ id: 'read', lane: LANES[i] as string }))
    await other.read(Keyed.template({ lane: LANES[i] as string }), { tx })
  }
  const waiting = space.take(Keyed)
  expect(await pending(waiting, idle(other))).toBe(true)
  const before = finds()
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
  expect(finds()).toBe(before)
  await readers[1]!.abort()
  expect(await waiting).toMatchObject({ id: 'read' })
  await readers[0]!.abort()
  await Promise.all([space.close(), other.close()])
})

describeOnRedis('on Redis', () => {
  const names = ['waits/0', 'waits/1', 'waits/2']
  let redis: Redis
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())

  const open = async (): Promise<Space> => new Space(await partitionedOnRedis(redis.url, names), 'redis')
  /** Registrations and shapes of waits, over all partitions. */
  const left = async (): Promise<number> => {
    let count = 0
    for (const name of names) {
      const { prefix } = keysOf(name)
      count += Number(await redis.cli('ZCARD', `${prefix}${KEYS.registrations.name}`))
      count += Number(await redis.cli('HLEN', `${prefix}${KEYS.shapeCounts.name}`))
    }
    return count
  }

  test('a wait that was served, was aborted or is over leaves nothing in any partition', async () => {
    const [space, other] = [await open(), await open()]
    const stop = new AbortController()
    const aborted = space.take(Keyed, { signal: stop.signal })
    const served = space.take(Keyed)
    expect(await space.take(Other, { waitMs: 30 })).toBeNull()
    expect(await pending(Promise.race([aborted, served]), idle(space))).toBe(true)
    expect(await left()).toBeGreaterThan(0)
    stop.abort(new Error('enough'))
    await expect(aborted).rejects.toThrow('enough')
    await other.write(Keyed({ id: 'a', lane: LANES[2] }))
    expect(await served).toMatchObject({ id: 'a' })
    await until(async () => (await left()) === 0, 'nothing is left')
    await Promise.all([space.close(), other.close()])
  })

  test('an idle offer has a scout where it has no slot, and none once it has ended', async () => {
    const space = await open()
    const offer = await space.engine.offer({ kind: 'Keyed', root: 'Keyed', indexed: [], verified: [] }, 1, () => {})
    // One offer of credit 1 in one partition, a registration in each of the others.
    const registered = async (): Promise<number> => {
      const counts = names.map((name) => redis.cli('ZCARD', `${keysOf(name).prefix}${KEYS.registrations.name}`))
      return (await Promise.all(counts)).reduce((sum, count) => sum + Number(count), 0)
    }
    await until(async () => (await registered()) === 2, 'two scouts')
    await offer.end()
    await until(async () => (await left()) === 0, 'nothing is left')
    await space.close()
  })

  test('a process has one name in all partitions of a server, and misses none of their pushes', async () => {
    const [space, other] = [await open(), await open()]
    const serving = await serveRequests(other, 'web', 4, (taken) => void taken.complete(OK))
    // Several beats of each process, which compare the pushes that were sent with those that came.
    const end = performance.now() + LOAD_MS
    for (let i = 0; performance.now() < end; i++)
      expect(await outcomeOf(send(space, `/${i}`, { repeatable: true }))).toBe('200')
    for (const each of [space, other]) expect((await each.engine.health()).reconnects).toBe(0)
    await serving.stop()
    await Promise.all([space.close(), other.close()])
  })

  test('many waits of several processes and many writers: each entry is taken once', async () => {
    const spaces = [await open(), await open()]
    const taken: string[] = []
    const stop = new AbortController()
    const takers = Array.from({ length: 16 }, async (_, i) => {
      const space = spaces[i % 2] as Space
      for (;;) {
        // Some waits end while an entry is on its way to them.
        const entry = await space.take(Keyed, { waitMs: ((i % 4) + 1) * 10, signal: stop.signal })
        if (entry) taken.push(entry.id)
      }
    })
    const writers = Array.from({ length: 4 }, async (_, w) => {
      for (let i = 0; i < 50; i++) await spaces[w % 2]!.write(Keyed({ id: `${w} ${i}`, lane: LANES[(w + i) % 3]! }))
    })
    await Promise.all(writers)
    await until(() => taken.length >= 200, 'every entry is taken')
    stop.abort(new Error('over'))
    for (const each of await Promise.allSettled(takers)) expect(each).toMatchObject({ reason: { message: 'over' } })
    expect(new Set(taken).size).toBe(200)
    expect(taken).toHaveLength(200)
    expect(await spaces[0]!.takeIfExists(Keyed)).toBeNull()
    await Promise.all(spaces.map((space) => space.close()))
  })
})

failOnLeaks()

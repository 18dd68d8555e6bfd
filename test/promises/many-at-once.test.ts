/** Many entries at once: any number up to the documented most, all or none, and never one long call of the server. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { defineEntry } from '../../src/entry.js'
import { openSpace } from '../../src/index.js'
import type { Space } from '../../src/space.js'
import { form } from '../faults/form.js'
import { describeOnRedis, everyEngine, testInOnePartition } from '../support/every-engine.js'
import { type Redis, startRedis } from '../support/redis.js'

const Job = defineEntry<{ n: number; text?: string }>('Job', { index: ['n'] })

const jobs = (n: number) => Array.from({ length: n }, (_, i) => Job({ n: i }))

async function countIn(space: Space): Promise<number> {
  let count = 0
  for await (const _ of space.contents(Job)) count++
  return count
}

everyEngine({ what: 'many at once', partitions: 'all' }, (opened) => {
  testInOnePartition(
    'thousands of entries are written in order, all or none; too many are refused at once',
    async () => {
      const { space, other, bounded } = opened()
      const leases = await space.writeAll(jobs(1_200), { leaseMs: 60_000 })
      expect(leases).toHaveLength(1_200)
      expect(leases[1_199]!.leaseMs).toBe(60_000)
      expect(await other.take(Job)).toEqual({ n: 0 })
      expect(await other.take(Job)).toEqual({ n: 1 })
      expect(await countIn(other)).toBe(1_198)
      const narrow = await bounded({ maxEntries: 2_000 })
      await expect(narrow.writeAll(jobs(1_200))).rejects.toMatchObject({ code: 'SPACE_FULL' })
      expect(await countIn(other)).toBe(1_198)
      const tick = space.snapshot(Job({ n: -1 }))
      const tooMany = Array.from({ length: 100_001 }, () => tick)
      const refused = { code: 'INVALID_ARGUMENT', message: expect.stringContaining('100000') }
      await expect(space.writeAll(tooMany)).rejects.toMatchObject(refused)
      // Large bodies among them keep their places.
      await space.writeAll([Job({ n: -3, text: 'x'.repeat(5_000) }), ...jobs(1_500), Job({ n: -4 })], { priority: 1 })
      expect((await other.take(Job)).n).toBe(-3)
    },
  )

  test('leases are renewed and cancelled in any number', async () => {
    const { space } = opened()
    const leases = await space.writeAll(jobs(form(1_500, 21_000)), { leaseMs: 60_000 })
    expect(await space.renewAll(leases, 120_000)).toEqual([])
    expect(leases.every(({ leaseMs }) => leaseMs === 120_000)).toBe(true)
    expect(await space.cancelAll(leases)).toEqual([])
    expect(await countIn(space)).toBe(0)
  })

  test('a transaction of thousands takes effect as a whole, whichever way it ends', async () => {
    const { space, other, violations } = opened()
    await space.writeAll(jobs(1_200))
    const undone = await space.begin()
    expect(await space.takeAll([Job], { max: 1_200, tx: undone })).toHaveLength(1_200)
    await space.writeAll(jobs(1_100), { tx: undone })
    await undone.abort()
    expect(await countIn(other)).toBe(1_200)
    expect(await other.read(Job)).toEqual({ n: 0 })
    await space.transact(async (tx) => {
      expect(await space.takeAll([Job], { max: 1_200, tx })).toHaveLength(1_200)
      // Not awaited: sent with the commit, or ahead of it if they are too many.
      void space.writeAll(jobs(1_500), { tx })
      for (let n = 1_500; n < 1_600; n++) void space.write(Job({ n }), { tx })
    })
    expect(await countIn(other)).toBe(1_600)
    const all = await other.takeAll([Job], { max: 2_000 })
    expect(all.map(({ n }) => n)).toEqual(Array.from({ length: 1_600 }, (_, n) => n))
    expect(await violations()).toEqual([])
  })
})

describeOnRedis('large transactions on Redis', () => {
  let redis: Redis
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())

  const calls = async (): Promise<number> => {
    const stats = await redis.cli('INFO', 'commandstats')
    return Number(/cmdstat_fcall:calls=(\d+)/.exec(stats)?.[1])
  }

  test('the end takes effect in slices, and goes on if its owner is gone', async () => {
    const space = await openSpace(redis.url)
    const other = await openSpace(redis.url)
    await space.writeAll(jobs(1_200))
    const tx = await space.begin()
    await space.takeAll([Job], { max: 1_200, tx })
    const before = await calls()
    await tx.abort()
    // 250 effects in a call.
    expect((await calls()) - before).toBeGreaterThanOrEqual(5)
    expect(await countIn(other)).toBe(1_200)
    const left = await space.begin()
    await space.takeAll([Job], { max: 1_200, tx: left })
    await other.declareDead(space.presence)
    // It waits until the last one is back.
    let back = 0
    while (back < 1_200) back += (await other.takeAll([Job], { max: 1_200, waitMs: 10_000 })).length
    expect(await countIn(other)).toBe(0)
    await Promise.all([space.close(), other.close()])
  })
})

/** What keeping leases alive promises: they last as long as they are kept, and a loss is told in time, once. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import type { SpaceError } from '../../src/errors.js'
import { openSpace } from '../../src/open.js'
import type { Lease } from '../../src/space/lease.js'
import { describeOnRedis, everyEngine } from '../support/every-engine.js'
import { Task } from '../support/kinds.js'
import { startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'

/** A renewal has half of it to come through: enough for a machine that is busy with other tests. */
const SHORT_MS = 800

/** Collects what was lost. */
function losses() {
  const lost: { lease: Lease; error: SpaceError }[] = []
  return { lost, onLost: (lease: Lease, error: SpaceError) => void lost.push({ lease, error }) }
}

everyEngine({ what: 'keeping', partitions: 'all' }, (opened) => {
  test('short leases outlive many periods, in few calls', async () => {
    const { space, other } = opened()
    const count = 20
    const leases = await space.writeAll(
      Array.from({ length: count }, (_, i) => Task({ id: String(i) })),
      { leaseMs: SHORT_MS },
    )
    const renew = jest.spyOn(space.engine, 'renew')
    const { lost, onLost } = losses()
    const keep = space.keepAlive(leases, { onLost })
    const end = performance.now() + 3 * SHORT_MS
    await until(() => lost.length > 0 || performance.now() > end, 'several periods to pass')
    expect(lost).toEqual([])
    for (let i = 0; i < count; i++) expect(await other.readIfExists(Task.template({ id: String(i) }))).not.toBeNull()
    expect(lost).toEqual([])
    // All go along with the first that is due: the calls of one round have nothing between them.
    expect(renew.mock.calls.length % count).toBe(0)
    expect(renew.mock.calls.every(([, leaseMs]) => leaseMs === SHORT_MS)).toBe(true)
    keep.stop()
    await until(async () => (await other.readIfExists(Task)) === null, 'the leases to end by themselves')
    expect(lost).toEqual([])
  })

  test('a lease that another cancels, or whose entry is taken, is reported once and the others are kept', async () => {
    const { space, other } = opened()
    const leases = await space.writeAll([Task({ id: 'a' }), Task({ id: 'b' }), Task({ id: 'c' })], {
      leaseMs: SHORT_MS,
    })
    const { lost, onLost } = losses()
    const renew = jest.spyOn(space.engine, 'renew')
    const renewals = () => renew.mock.calls.filter(([id]) => id === leases[2]!.id).length
    const keep = space.keepAlive(leases, { onLost })
    await other.take(Task.template({ id: 'a' }))
    await other.engine.cancel(leases[1]!.id)
    await until(() => lost.length === 2, 'both losses')
    expect(lost.map(({ lease }) => lease.id).sort()).toEqual([leases[0]!.id, leases[1]!.id].sort())
    for (const { error } of lost) expect(error.code).toBe('LEASE_UNKNOWN')
    for (const { lease } of lost) expect(lease.expiresInMs).toBe(0)
    await until(() => renewals() >= 3, 'the third to go on')
    expect(renew.mock.calls).toHaveLength(renewals() + 2)
    expect(lost).toHaveLength(2)
    expect(await other.take(Task, { waitMs: 0 })).toEqual({ id: 'c' })
    keep.stop()
  })

  test('leases come and go while it runs', async () => {
    const { space } = opened()
    const { lost, onLost } = losses()
    const keep = space.keepAlive([], { onLost })
    const kept = await space.write(Task({ id: 'kept' }), { leaseMs: SHORT_MS })
    const left = await space.write(Task({ id: 'left' }), { leaseMs: SHORT_MS })
    keep.add(kept)
    keep.add(kept)
    keep.add(left)
    keep.remove(left)
    keep.remove(left)
    await until(async () => (await space.readIfExists(Task.template({ id: 'left' }))) === null, 'the end of one lease')
    expect(await space.readIfExists(Task)).toEqual({ id: 'kept' })
    expect(lost).toEqual([])
    keep.stop()
    keep.stop()
    expect(() => keep.add(kept)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })

  test('what onLost throws disturbs neither the others nor the process', async () => {
    const { space, other } = opened()
    const leases = await space.writeAll([Task({ id: 'a' }), Task({ id: 'b' }), Task({ id: 'c' })], {
      leaseMs: SHORT_MS,
    })
    const told: string[] = []
    const renew = jest.spyOn(space.engine, 'renew')
    const keep = space.keepAlive(leases, {
      onLost(lease) {
        told.push(lease.id)
        if (told.length === 1) throw new Error('thrown')
        return Promise.reject(new Error('rejected'))
      },
    })
    await other.cancelAll(leases.slice(0, 2))
    await until(() => told.length === 2, 'both to be told')
    const before = renew.mock.calls.length
    await until(() => renew.mock.calls.length >= before + 2, 'the third to go on')
    expect(await space.readIfExists(Task)).toEqual({ id: 'c' })
    expect(told).toHaveLength(2)
    keep.stop()
  })

  test('it asks for what each had, never beyond untilMs, and ends then by itself', async () => {
    const { space, other } = opened()
    const renew = jest.spyOn(space.engine, 'renew')
    const { lost, onLost } = losses()
    const asked = performance.now()
    const lease = await space.write(Task({ id: 'u' }), { leaseMs: SHORT_MS })
    const forever = await space.write(Task({ id: 'f' }), { leaseMs: Number.POSITIVE_INFINITY })
    const long = await space.write(Task({ id: 'l' }), { leaseMs: 60_000 })
    const keep = space.keepAlive([lease, forever, long], { untilMs: 2.5 * SHORT_MS, onLost })
    await until(async () => (await other.readIfExists(Task.template({ id: 'u' }))) === null, 'the end of all renewals')
    const ended = performance.now() - asked
    // Not before its time; 2 ms, because the space counts whole milliseconds.
    expect(ended).toBeGreaterThan(2.5 * SHORT_MS - 2)
    const durations = renew.mock.calls.filter(([id]) => id === lease.id).map(([, leaseMs]) => leaseMs)
    expect(durations.length).toBeGreaterThanOrEqual(2)
    expect(Math.max(...durations)).toBe(SHORT_MS)
    expect(durations.at(-1)).toBeLessThan(SHORT_MS)
    expect(renew.mock.calls.filter(([id]) => id !== lease.id)).toEqual([])
    expect(lost).toEqual([])
    await until(() => {
      try {
        keep.add(long)
        return false
      } catch {
        return true
      }
    }, 'it has ended')
  })

  test('a lease that is over when it comes is reported, in a turn of its own', async () => {
    const { space } = opened()
    const { lost, onLost } = losses()
    const dead = await space.write(Task({ id: 'd' }), { leaseMs: 0 })
    const cancelled = await space.write(Task({ id: 'c' }))
    await cancelled.cancel()
    const keep = space.keepAlive([dead, cancelled], { onLost })
    expect(lost).toEqual([])
    await until(() => lost.length === 2, 'both losses')
    expect(lost.map(({ error }) => error.code)).toEqual(['LEASE_UNKNOWN', 'LEASE_UNKNOWN'])
    keep.stop()
  })

  test('close stops it', async () => {
    const { space } = opened()
    const { lost, onLost } = losses()
    const renew = jest.spyOn(space.engine, 'renew')
    const keep = space.keepAlive([await space.write(Task({ id: 'x' }), { leaseMs: SHORT_MS })], { onLost })
    await space.close()
    const calls = renew.mock.calls.length
    const end = performance.now() + SHORT_MS
    await until(() => performance.now() > end, 'a period')
    expect(renew.mock.calls.length).toBe(calls)
    expect(lost).toEqual([])
    expect(() => keep.add({} as never)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })

  test('what is no lease, no duration or no function is refused', async () => {
    const { space } = opened()
    const lease = await space.write(Task({ id: 'x' }))
    const refused = expect.objectContaining({ code: 'INVALID_ARGUMENT' })
    for (const leases of [null, lease, [{}], [lease, 'x']]) {
      expect(() => space.keepAlive(leases as never)).toThrow(refused)
    }
    for (const untilMs of [-1, Number.NaN, '5']) {
      expect(() => space.keepAlive([lease], { untilMs: untilMs as number })).toThrow(refused)
    }
    expect(() => space.keepAlive([lease], { onLost: 5 as never })).toThrow(refused)
    const keep = space.keepAlive([lease])
    expect(() => keep.add('x' as never)).toThrow(refused)
    keep.stop()
  })
})

describeOnRedis('keeping, when Redis does not answer', () => {
  let redis: Redis
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())

  test('a loss is told before the holder may no longer rely on it', async () => {
    await using space = await openSpace(redis.url, { name: 'frozen' })
    const leases = await space.writeAll([Task({ id: 'a' }), Task({ id: 'b' })], { leaseMs: 1_000 })
    let over = 0
    const told: { over: number; code: string }[] = []
    space.keepAlive(leases, {
      onLost: (_lease, { code }) => told.push({ over, code }),
    })
    redis.pause()
    try {
      // Timers fire in the order of their ends: these two are the ends of what the holder knows of.
      for (const { expiresInMs } of leases) setTimeout(() => over++, expiresInMs)
      await until(() => told.length === 2 && over === 2, 'both to be told')
      expect(told).toEqual([
        { over: 0, code: 'SPACE_UNREACHABLE' },
        { over: 0, code: 'SPACE_UNREACHABLE' },
      ])
    } finally {
      redis.resume()
    }
    await space.close()
    expect(told).toHaveLength(2)
  })

  test('a lease that may have been shortened is not relied upon any longer than that', async () => {
    await using space = await openSpace(redis.url, { name: 'shortened' })
    const [longer, shorter] = await space.writeAll([Task({ id: 'a' }), Task({ id: 'b' })], { leaseMs: 60_000 })
    redis.pause()
    try {
      const failed = await space.renewAll([longer!, shorter!], [100_000, 1_000])
      expect(failed.map(({ error }) => error.code)).toEqual(['SPACE_UNREACHABLE', 'SPACE_UNREACHABLE'])
      expect(longer!.expiresInMs).toBeGreaterThan(40_000)
      expect(shorter!.expiresInMs).toBe(0)
    } finally {
      redis.resume()
    }
  })

  test('an interruption shorter than the lease costs nothing', async () => {
    await using space = await openSpace(redis.url, { name: 'interrupted' })
    const lease = await space.write(Task({ id: 'a' }), { leaseMs: 6_000 })
    const { lost, onLost } = losses()
    space.keepAlive([lease], { onLost })
    const renew = jest.spyOn(space.engine, 'renew')
    await until(() => renew.mock.calls.length === 0 && lease.expiresInMs < 3_500, 'the first renewal to come near')
    redis.pause()
    await until(() => renew.mock.calls.length > 0, 'a renewal that meets a frozen server')
    redis.resume()
    await until(() => lease.expiresInMs > 5_000, 'the renewal to be granted')
    expect(lost).toEqual([])
    expect(await space.readIfExists(Task)).toEqual({ id: 'a' })
  })
})

test('what onLost throws is logged, and a loss that nobody listens for, too', async () => {
  const logger = { debug: jest.fn(), info: jest.fn(), warn: jest.fn(), error: jest.fn() }
  await using space = await openSpace('memory:', { logger })
  const lease = await space.write(Task({ id: 'x' }))
  await lease.cancel()
  const err = new Error('thrown')
  space.keepAlive([lease], {
    onLost() {
      throw err
    },
  })
  space.keepAlive([lease])
  await until(() => logger.error.mock.calls.length + logger.warn.mock.calls.length === 2, 'both to be logged')
  expect(logger.error).toHaveBeenCalledWith({ err, lease: lease.id }, expect.any(String))
  expect(logger.warn).toHaveBeenCalledWith({ lease: lease.id, code: 'LEASE_UNKNOWN' }, expect.any(String))
})

test('it keeps no process alive by itself', async () => {
  const code = `
    import { defineEntry, openSpace } from 'takespace'
    const space = await openSpace('memory:')
    space.keepAlive([await space.write(defineEntry('Task')({ id: 1 }), { leaseMs: 1_000 })])
    console.log('done')`
  const idle = startProcess([process.execPath, '--input-type=module', '--eval', code])
  expect(await idle.exited).toEqual({ code: 0, signal: null })
  expect(idle.output()).toBe('done\n')
})

/** What leases promise: an entry is there until its lease ends, never a moment longer, never a moment less. */
import { expect, test } from '@jest/globals'
import { everyEngine } from '../support/every-engine.js'
import { Task } from '../support/kinds.js'
import { until } from '../support/until.js'

everyEngine('leasing', (opened) => {
  test('an entry is gone when its lease ends, and not before', async () => {
    const { space, other } = opened()
    const sent = performance.now()
    const lease = await space.write(Task({ id: 'short' }), { leaseMs: 150 })
    const acknowledged = performance.now()
    for (;;) {
      const asked = performance.now()
      const found = await other.readIfExists(Task)
      const answered = performance.now()
      // 2 ms: the space counts whole milliseconds.
      if (found) expect(asked - acknowledged).toBeLessThan(150 + 2)
      else {
        expect(answered - sent).toBeGreaterThanOrEqual(150 - 2)
        break
      }
    }
    await expect(lease.renew(1_000)).rejects.toMatchObject({ code: 'LEASE_UNKNOWN' })
    expect(await space.takeIfExists(Task)).toBeNull()
  })

  test('a renewal counts from now and may shorten', async () => {
    const { space } = opened()
    const lease = await space.write(Task({ id: 'r' }), { leaseMs: 60_000 })
    const before = lease.expiresAt
    await lease.renew(120_000)
    expect(lease.expiresAt).toBeGreaterThan(before)
    await lease.renew(30)
    await until(async () => (await space.readIfExists(Task)) === null, 'the end of the shortened lease')
    await expect(lease.renew(30)).rejects.toMatchObject({ code: 'LEASE_UNKNOWN' })
  })

  test('a renewed entry outlives its first lease', async () => {
    const { space } = opened()
    const lease = await space.write(Task({ id: 'r' }), { leaseMs: 80 })
    await lease.renew(10_000)
    const end = performance.now() + 200
    await until(
      async () => (await space.readIfExists(Task)) === null || performance.now() > end,
      'the first lease to end',
    )
    expect(await space.takeIfExists(Task)).toEqual({ id: 'r' })
  })

  test('cancel ends it now, and once', async () => {
    const { space, other } = opened()
    const lease = await space.write(Task({ id: 'c' }))
    await lease.cancel()
    expect(await other.takeIfExists(Task)).toBeNull()
    await expect(lease.cancel()).rejects.toMatchObject({ code: 'LEASE_UNKNOWN' })
    await expect(lease.renew(5)).rejects.toMatchObject({ code: 'LEASE_UNKNOWN' })
  })

  test('the lease of a taken entry is unknown', async () => {
    const { space } = opened()
    const lease = await space.write(Task({ id: 't' }))
    await space.take(Task)
    await expect(lease.renew(5)).rejects.toMatchObject({ code: 'LEASE_UNKNOWN' })
    await expect(lease.cancel()).rejects.toMatchObject({ code: 'LEASE_UNKNOWN' })
  })

  test('for ever is granted as asked; nothing is dead on arrival', async () => {
    const { space } = opened()
    const lease = await space.write(Task({ id: 'f' }), { leaseMs: Number.POSITIVE_INFINITY })
    expect(lease.expiresAt).toBe(Number.POSITIVE_INFINITY)
    await space.write(Task({ id: 'never' }), { leaseMs: 0 })
    expect(await space.take(Task)).toEqual({ id: 'f' })
    expect(await space.takeIfExists(Task)).toBeNull()
  })

  test('an expired entry is not handed to a taker behind it', async () => {
    const { space } = opened()
    await space.write(Task({ id: 'dead', type: 'x' }), { leaseMs: 20 })
    await space.write(Task({ id: 'alive', type: 'x' }))
    await until(async () => (await space.readIfExists(Task.template({ id: 'dead' }))) === null, 'the end of the lease')
    expect(await space.take(Task.template({ type: 'x' }))).toEqual({ id: 'alive', type: 'x' })
  })

  test('a holder may rely on a lease from when it asked, and knows when it may no longer', async () => {
    const { space } = opened()
    const asked = performance.now()
    const lease = await space.write(Task({ id: 'h' }), { leaseMs: 60_000 })
    const inMs = lease.expiresInMs
    expect(inMs).toBeLessThanOrEqual(60_000)
    expect(inMs).toBeGreaterThanOrEqual(60_000 - (performance.now() - asked))
    expect(lease.leaseMs).toBe(60_000)
    await lease.renew(Number.POSITIVE_INFINITY)
    expect([lease.expiresInMs, lease.leaseMs]).toEqual([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY])
    await lease.renew(1_000)
    expect(lease.expiresInMs).toBeLessThanOrEqual(1_000)
    await expect(lease.renew(-1)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(lease.renew(Number.NaN)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(lease.expiresInMs).toBeGreaterThan(0)
    await lease.cancel()
    expect(lease.expiresInMs).toBe(0)
    expect((await space.write(Task({ id: 'd' }), { leaseMs: 0 })).expiresInMs).toBe(0)
  })

  test('a lease that is found to be unknown is not relied upon', async () => {
    const { space, other } = opened()
    const lease = await space.write(Task({ id: 'h' }))
    await other.take(Task)
    expect(lease.expiresInMs).toBeGreaterThan(0)
    await expect(lease.renew(1_000)).rejects.toMatchObject({ code: 'LEASE_UNKNOWN' })
    expect(lease.expiresInMs).toBe(0)
  })

  test('renewAll renews all that can be, and gives the others back each with its error', async () => {
    const { space, other } = opened()
    const leases = await space.writeAll(
      ['a', 'b', 'c', 'd'].map((id) => Task({ id })),
      { leaseMs: 60_000 },
    )
    await other.take(Task.template({ id: 'b' }))
    await leases[3]!.cancel()
    const failed = await space.renewAll(leases, [100_000, 100_000, 200_000, 100_000])
    expect(failed.map(({ lease }) => lease)).toEqual([leases[1], leases[3]])
    expect(failed.map(({ error }) => error.code)).toEqual(['LEASE_UNKNOWN', 'LEASE_UNKNOWN'])
    expect(leases[2]!.expiresAt - leases[0]!.expiresAt).toBeGreaterThanOrEqual(99_000)
    expect(await space.renewAll([leases[0]!, leases[2]!], 30_000)).toEqual([])
    expect(leases.map(({ leaseMs }) => leaseMs)).toEqual([30_000, 60_000, 30_000, 60_000])
    expect(await space.renewAll([], 30_000)).toEqual([])
  })

  test('cancelAll cancels all that can be, and gives the others back each with its error', async () => {
    const { space, other } = opened()
    const leases = await space.writeAll(['a', 'b', 'c'].map((id) => Task({ id })))
    await other.take(Task.template({ id: 'b' }))
    const failed = await space.cancelAll([...leases, leases[0]!])
    expect(failed.map(({ lease, error }) => [lease, error.code])).toEqual([
      [leases[1], 'LEASE_UNKNOWN'],
      [leases[0], 'LEASE_UNKNOWN'],
    ])
    expect(await space.takeIfExists(Task)).toBeNull()
  })

  test('what is no list of leases, or no duration for each, is refused, and nothing is renewed', async () => {
    const { space } = opened()
    const lease = await space.write(Task({ id: 'x' }), { leaseMs: 60_000 })
    for (const leases of [null, lease, [{}], [lease, undefined]]) {
      await expect(space.renewAll(leases as never, 5)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
      await expect(space.cancelAll(leases as never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
    for (const leaseMs of [-1, Number.NaN, [1, 2], [], ['1'], undefined, null]) {
      await expect(space.renewAll([lease], leaseMs as number)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
    expect(lease.expiresInMs).toBeGreaterThan(5)
    expect(await space.read(Task)).toEqual({ id: 'x' })
  })
})

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
})

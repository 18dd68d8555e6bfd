/** What transactions promise: all or nothing, seen by nobody before, locks that others respect, and an end whatever happens. */
import { expect, test } from '@jest/globals'
import { DEAD_LETTER } from '../../src/engine.js'
import type { StandardSchema } from '../../src/entry/schema.js'
import { AnyEntry, defineEntry } from '../../src/entry.js'
import { everyEngine, testInOnePartition } from '../support/every-engine.js'
import { Other, Task } from '../support/kinds.js'
import { pending } from '../support/pending.js'
import { until } from '../support/until.js'

everyEngine({ what: 'transactions', partitions: 'redis' }, (opened) => {
  const nothing = async (): Promise<void> => {
    const { space } = opened()
    expect(await space.readIfExists(AnyEntry)).toBeNull()
  }

  test('what is written under one is seen inside at once, outside after the commit', async () => {
    const { space, other } = opened()
    const tx = await space.begin()
    await space.write(Task({ id: 'a' }), { tx })
    expect(await space.readIfExists(Task, { tx })).toEqual({ id: 'a' })
    expect(await space.readIfExists(Task)).toBeNull()
    expect(await other.takeIfExists(Task)).toBeNull()
    expect(await other.readIfExists(AnyEntry)).toBeNull()
    await tx.commit()
    expect(await other.take(Task, { waitMs: 0 })).toEqual({ id: 'a' })
    await nothing()
  })

  test('what is written under one that aborts never was', async () => {
    const { space } = opened()
    const tx = await space.begin()
    const lease = await space.write(Task({ id: 'a', note: 'n'.repeat(5_000) }), { tx })
    await tx.abort()
    await nothing()
    await expect(lease.renew(1_000)).rejects.toMatchObject({ code: 'LEASE_UNKNOWN' })
  })

  testInOnePartition(
    'what is taken under one is seen by nobody; after an abort it is back in its place, after a commit it is gone',
    async () => {
      const { space, other } = opened()
      for (const id of ['a', 'b', 'c']) await space.write(Task({ id }))
      const tx = await space.begin()
      expect(await space.take(Task, { tx, waitMs: 0 })).toEqual({ id: 'a' })
      expect(await space.readIfExists(Task.template({ id: 'a' }), { tx })).toBeNull()
      expect(await other.readIfExists(Task)).toEqual({ id: 'b' })
      await tx.abort()
      expect(await other.readIfExists(Task)).toEqual({ id: 'a' })
      await space.transact(async (next) => {
        expect(await space.take(Task, { tx: next, waitMs: 0 })).toEqual({ id: 'a' })
      })
      expect(await other.readIfExists(Task)).toEqual({ id: 'b' })
      expect(await other.readIfExists(Task.template({ id: 'a' }))).toBeNull()
    },
  )

  test('what is read under one is read by others and taken by none of them, until it ends', async () => {
    const { space, other } = opened()
    await space.write(Task({ id: 'a', type: 'x' }))
    const one = await space.begin()
    const two = await other.begin()
    expect(await space.read(Task.template({ type: 'x' }), { tx: one })).toEqual({ id: 'a', type: 'x' })
    expect(await other.read(Task, { tx: two })).toEqual({ id: 'a', type: 'x' })
    expect(await other.readIfExists(Task.template({ id: 'a' }))).toEqual({ id: 'a', type: 'x' })
    expect(await space.readIfExists(AnyEntry)).toEqual({ id: 'a', type: 'x' })
    expect(await space.take(Task, { waitMs: 0 })).toBeNull()
    expect(await space.take(Task, { tx: one, waitMs: 0 })).toBeNull()
    const waiting = other.take(Task, { waitMs: 10_000 })
    await one.commit()
    expect(await pending(waiting, () => space.readIfExists(Other))).toBe(true)
    await two.abort()
    expect(await waiting).toEqual({ id: 'a', type: 'x' })
    await nothing()
  })

  test('what is written and taken inside leaves nothing behind, whichever way it ends', async () => {
    const { space } = opened()
    for (const end of ['commit', 'abort'] as const) {
      const tx = await space.begin()
      await space.write(Task({ id: 'a' }), { tx })
      expect(await space.take(Task, { tx, waitMs: 0 })).toEqual({ id: 'a' })
      expect(await space.readIfExists(Task, { tx })).toBeNull()
      await tx[end]()
      await nothing()
    }
  })

  test('under one that has ended every operation is refused, and nothing happens', async () => {
    const { space } = opened()
    await space.write(Task({ id: 'a' }))
    for (const end of ['commit', 'abort'] as const) {
      const tx = await space.begin()
      await space.read(Task, { tx })
      await tx[end]()
      const refused = { code: 'TRANSACTION_ENDED' }
      await expect(space.write(Task({ id: 'b' }), { tx })).rejects.toMatchObject(refused)
      await expect(space.take(Task, { tx })).rejects.toMatchObject(refused)
      await expect(space.readIfExists(Task, { tx })).rejects.toMatchObject(refused)
      await expect(space.takeAll([Task], { tx })).rejects.toMatchObject(refused)
      await expect(space.notify([Task], () => {}, { tx })).rejects.toMatchObject(refused)
      await expect(space.contents(Task, { tx }).next()).rejects.toMatchObject(refused)
      await expect(tx.commit()).rejects.toMatchObject(refused)
      await expect(tx.renew(1_000)).rejects.toMatchObject(refused)
      await tx.abort()
    }
    expect(await space.takeAll([AnyEntry], { waitMs: 0 })).toEqual([{ id: 'a' }])
  })

  test('one without operations commits', async () => {
    const { space } = opened()
    await (await space.begin()).commit()
    expect(await space.transact(() => 7)).toBe(7)
  })

  test('transact commits what returns, and aborts what throws', async () => {
    const { space } = opened()
    await expect(
      space.transact(async (tx) => {
        await space.write(Task({ id: 'a' }), { tx })
        throw new RangeError('mine')
      }),
    ).rejects.toThrow('mine')
    await nothing()
    await space.transact(async (tx) => {
      await space.write(Task({ id: 'b' }), { tx })
    })
    expect(await space.readIfExists(Task)).toEqual({ id: 'b' })
  })

  test('a write that is not awaited travels with the commit', async () => {
    const { space, other } = opened()
    const tx = await space.begin()
    for (let i = 0; i < 20; i++) void space.write(Task({ id: `t${i}`, note: i % 2 ? 'x'.repeat(4_000) : 'y' }), { tx })
    await tx.commit()
    expect(await other.takeAll([Task], { waitMs: 0 })).toHaveLength(20)
  })

  test('a write that is not awaited has its lease when the commit is through, and is nothing when it was aborted', async () => {
    const { space, other } = opened()
    await space.write(Task({ id: 'in' }))
    const tx = await space.begin()
    await space.take(Task, { tx })
    const writing = space.write(Task({ id: 'out' }), { tx })
    await tx.commit()
    await (await writing).renew(60_000)
    expect(await other.takeAll([Task], { waitMs: 0 })).toEqual([{ id: 'out' }])
    const aborted = await space.begin()
    const nowhere = space.write(Task({ id: 'nowhere' }), { tx: aborted })
    await aborted.abort()
    await expect((await nowhere).renew(60_000)).rejects.toMatchObject({ code: 'LEASE_UNKNOWN' })
    await nothing()
  })

  test('who registers under it is told of a write that its commit overtakes', async () => {
    const { space } = opened()
    const tx = await space.begin()
    const told: unknown[] = []
    await space.notify([Task], ({ entry }) => void told.push(entry), { tx })
    void space.write(Task({ id: 'a' }), { tx })
    await tx.commit()
    await until(() => told.length > 0, 'the event')
    expect(told).toEqual([{ id: 'a' }])
  })

  test('also one whose schema takes its time; and one that its schema refuses makes the commit fail', async () => {
    const { space, other } = opened()
    const schema: StandardSchema<{ id: string }> = {
      '~standard': {
        version: 1,
        vendor: 'ours',
        validate: async (value) => {
          await new Promise((resolve) => setImmediate(resolve))
          const { id } = value as { id: string }
          return id === 'bad' ? { issues: [{ message: 'bad', path: ['id'] }] } : { value: { id } }
        },
      },
    }
    const Slow = defineEntry('Slow', { schema })
    const tx = await space.begin()
    const writing = space.write(Slow({ id: 'a' }), { tx })
    await tx.commit()
    await writing
    expect(await other.takeIfExists(Slow)).toEqual({ id: 'a' })
    const next = await space.begin()
    void space.write(Slow({ id: 'b' }), { tx: next })
    const refused = expect(space.write(Slow({ id: 'bad' }), { tx: next })).rejects.toMatchObject({
      code: 'INVALID_ENTRY',
    })
    await expect(next.commit()).rejects.toMatchObject({ code: 'INVALID_ENTRY' })
    await refused
    await nothing()
  })

  test('when its lease ends it is aborted: what it took is back without anybody asking, its signal fires, its commit is refused', async () => {
    const { space, other } = opened()
    await space.write(Task({ id: 'a' }))
    const tx = await space.begin({ leaseMs: 200 })
    await space.take(Task, { tx })
    await space.write(Task({ id: 'b' }), { tx })
    const waiting = other.take(Task)
    expect(tx.signal.aborted).toBe(false)
    expect(await waiting).toEqual({ id: 'a' })
    await until(() => tx.signal.aborted, 'its owner to hear of it')
    await expect(tx.commit()).rejects.toMatchObject({ code: 'TRANSACTION_ENDED' })
    await nothing()
  })

  test('it stays as long as it is renewed', async () => {
    const { space, other } = opened()
    await space.write(Task({ id: 'a' }))
    const tx = await space.begin({ leaseMs: 500 })
    await space.take(Task, { tx })
    const end = performance.now() + 1_100
    while (performance.now() < end) {
      await tx.renew(500)
      expect(await other.readIfExists(Task)).toBeNull()
    }
    await tx.commit()
    await nothing()
  })

  test('its signal does not fire when it commits', async () => {
    const { space } = opened()
    const tx = await space.begin()
    const { signal } = tx
    await tx.commit()
    expect(signal.aborted).toBe(false)
    const aborted = await space.begin()
    await aborted.abort()
    expect(aborted.signal.aborted).toBe(true)
  })

  testInOnePartition(
    'locks do not stop leases: an entry whose lease ends while it is held is gone after the abort',
    async () => {
      const { space } = opened()
      await space.write(Task({ id: 'a' }), { leaseMs: 100 })
      const lease = await space.write(Other({ id: 'b' }), { leaseMs: 60_000 })
      const tx = await space.begin()
      await space.take(Task, { tx })
      await space.take(Other, { tx })
      await space.write(Task({ id: 'c' }), { tx, leaseMs: 50 })
      // The lease of what is written under it runs from the write, and both can be renewed and cancelled all the same.
      await lease.renew(30_000)
      await lease.cancel()
      const over = performance.now() + 150
      await until(() => performance.now() > over, 'the leases to end')
      await tx.abort()
      await nothing()
      const next = await space.begin()
      await space.write(Task({ id: 'd' }), { tx: next, leaseMs: 30 })
      const later = performance.now() + 60
      await until(() => performance.now() > later, 'the lease to end')
      await next.commit()
      await nothing()
    },
  )

  testInOnePartition(
    'oldest first within a priority holds under one, too: among what is free, what was read, and what was written inside',
    async () => {
      const { space, other } = opened()
      await space.write(Task({ id: 'read' }))
      await space.write(Task({ id: 'free' }))
      const reader = await other.begin()
      await other.read(Task.template({ id: 'read' }), { tx: reader })
      const tx = await space.begin()
      await space.write(Task({ id: 'own' }), { tx })
      await space.write(Task({ id: 'later' }))
      expect(await space.readIfExists(Task)).toMatchObject({ id: 'read' })
      const order: (string | undefined)[] = []
      for (let i = 0; i < 4; i++) order.push((await space.takeIfExists(Task, { tx }))?.id)
      expect(order).toEqual(['free', 'own', 'later', undefined])
      await reader.abort()
      expect(await space.takeIfExists(Task, { tx })).toMatchObject({ id: 'read' })
      await tx.abort()
      expect(await space.takeAll([Task], { waitMs: 0 })).toMatchObject([
        { id: 'read' },
        { id: 'free' },
        { id: 'later' },
      ])
    },
  )

  testInOnePartition('what was set aside while one held it stays set aside, however that ends', async () => {
    const { space, other } = opened()
    for (const end of ['commit', 'abort'] as const) {
      const tx = await space.begin()
      const own = await space.write(Task({ id: 'own' }), { tx })
      const taken = await other.write(Task({ id: 'taken' }))
      const read = await other.write(Task({ id: 'read' }))
      await space.take(Task.template({ id: 'taken' }), { tx })
      await space.read(Task.template({ id: 'read' }), { tx })
      for (const { id } of [own, taken, read]) expect(await other.engine.deadLetter(id, end)).toBe(true)
      expect(await space.readIfExists(AnyEntry, { tx })).toBeNull()
      await tx[end]()
      const pattern = { kind: DEAD_LETTER, root: DEAD_LETTER, indexed: [`reason=s:${end}`], verified: [] }
      expect((await other.engine.list(pattern, null, 10)).entries).toHaveLength(3)
    }
    await nothing()
  })

  test('a transaction of another space is refused', async () => {
    const { space, other } = opened()
    if (space === other) return
    const tx = await other.begin()
    await expect(space.write(Task({ id: 'a' }), { tx })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(space.begin({ leaseMs: -1 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await tx.abort()
  })

  test('a thousand entries in one are there at once', async () => {
    const { space, other } = opened()
    const Row = defineEntry<{ n: number; batch: string }>('Row')
    const tx = await space.begin()
    for (let n = 0; n < 1_000; n += 100) {
      await space.writeAll(
        Array.from({ length: 100 }, (_, i) => Row({ n: n + i, batch: 'x' })),
        { tx },
      )
    }
    expect(await other.readIfExists(Row)).toBeNull()
    await tx.commit()
    expect(await other.takeAll([Row], { max: 2_000, waitMs: 0 })).toHaveLength(1_000)
    await nothing()
  })
})

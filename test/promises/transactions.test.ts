/** What transactions promise: all or nothing, seen by nobody before, locks that others respect, and an end whatever happens. */
import { expect, test } from '@jest/globals'
import { DEAD_LETTER } from '../../src/engine.js'
import type { StandardSchema } from '../../src/entry/schema.js'
import { AnyEntry, defineEntry } from '../../src/entry.js'
import { everyEngine } from '../support/every-engine.js'
import { BigTask, Other, Task } from '../support/kinds.js'
import { until } from '../support/until.js'

/** Whether a promise is still pending after everything that was under way has been answered. */
async function pending(promise: Promise<unknown>, roundTrip: () => Promise<unknown>): Promise<boolean> {
  let settled = false
  promise.then(
    () => {
      settled = true
    },
    () => {
      settled = true
    },
  )
  for (let i = 0; i < 3; i++) await roundTrip()
  return !settled
}

everyEngine('transactions', (opened) => {
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

  test('what is taken under one is seen by nobody; after an abort it is back in its place, after a commit it is gone', async () => {
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
  })

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

  test('who has read it alone may take it; who has not waits for the other readers', async () => {
    const { space, other } = opened()
    await space.write(Task({ id: 'a' }))
    const one = await space.begin()
    const two = await other.begin()
    await space.read(Task, { tx: one })
    await other.read(Task, { tx: two })
    const upgrade = space.take(Task, { tx: one, waitMs: 10_000 })
    expect(await pending(upgrade, () => space.readIfExists(Other))).toBe(true)
    await two.commit()
    expect(await upgrade).toEqual({ id: 'a' })
    expect(await other.readIfExists(Task)).toBeNull()
    await one.commit()
    await nothing()
  })

  test('two readers who both want to take it end by their timeouts', async () => {
    const { space, other } = opened()
    await space.write(Task({ id: 'a' }))
    const one = await space.begin()
    const two = await other.begin()
    await space.read(Task, { tx: one })
    await other.read(Task, { tx: two })
    expect(
      await Promise.all([space.take(Task, { tx: one, waitMs: 100 }), other.take(Task, { tx: two, waitMs: 100 })]),
    ).toEqual([null, null])
    await Promise.all([one.abort(), two.abort()])
    expect(await space.readIfExists(Task)).toEqual({ id: 'a' })
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

  test('a waiting take outside gets what a commit or an abort sets free, without asking again', async () => {
    const { space, other } = opened()
    const first = other.take(Task)
    await space.transact((tx) => space.write(Task({ id: 'a' }), { tx }))
    expect(await first).toEqual({ id: 'a' })
    await space.write(Task({ id: 'b' }))
    const tx = await space.begin()
    await space.take(Task, { tx })
    const second = other.take(Task)
    const reader = other.read(Task)
    expect(await pending(second, () => space.readIfExists(Other))).toBe(true)
    await tx.abort()
    expect(await reader).toEqual({ id: 'b' })
    expect(await second).toEqual({ id: 'b' })
  })

  test('a take that waits under one gets what is written, holds it, and gives it back', async () => {
    const { space, other } = opened()
    const tx = await space.begin()
    const waiting = space.take(Task, { tx })
    await pending(waiting, () => space.readIfExists(Other))
    await other.write(Task({ id: 'a' }))
    expect(await waiting).toEqual({ id: 'a' })
    expect(await other.readIfExists(Task)).toBeNull()
    await tx.abort()
    expect(await other.readIfExists(Task)).toEqual({ id: 'a' })
  })

  test('a read that waits under one locks what it is shown', async () => {
    const { space, other } = opened()
    const tx = await space.begin()
    const waiting = space.read(Task, { tx })
    await pending(waiting, () => space.readIfExists(Other))
    await other.write(Task({ id: 'a' }))
    expect(await waiting).toEqual({ id: 'a' })
    expect(await other.takeIfExists(Task)).toBeNull()
    await tx.commit()
    expect(await other.takeIfExists(Task)).toEqual({ id: 'a' })
  })

  test('a take that waits under one gets what is written under the same', async () => {
    const { space } = opened()
    const tx = await space.begin()
    const waiting = space.take(Task, { tx })
    await pending(waiting, () => space.readIfExists(Other))
    await space.write(Task({ id: 'a' }), { tx })
    expect(await waiting).toEqual({ id: 'a' })
    await tx.commit()
    await nothing()
  })

  test('a blocked call whose transaction ends rejects at once', async () => {
    const { space } = opened()
    for (const end of ['commit', 'abort'] as const) {
      const tx = await space.begin()
      const waiting = space.take(Task, { tx })
      const reading = space.read(Task.template({ id: 'x' }), { tx, waitMs: 60_000 })
      const both = Promise.allSettled([waiting, reading])
      await pending(waiting, () => space.readIfExists(Other))
      await tx[end]()
      for (const each of await both) expect(each).toMatchObject({ reason: { code: 'TRANSACTION_ENDED' } })
    }
    // What it waited for goes to others.
    await space.write(Task({ id: 'a' }))
    expect(await space.take(Task, { waitMs: 1_000 })).toEqual({ id: 'a' })
  })

  test('a wait that looks again under one that is just ending stands in no line afterwards', async () => {
    const { space } = opened()
    for (let turns = 0; turns < 4; turns++) {
      const tx = await space.begin()
      const wait = space.read(Task, { tx, waitMs: 20_000 })
      // What is written under it may be what the wait is for.
      const written = space.write(Other({ id: 'o' }), { tx }).then(() => {})
      const all = Promise.allSettled([wait, written])
      for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
      await tx.abort()
      expect((await all)[0]).toMatchObject({ reason: { code: 'TRANSACTION_ENDED' } })
      await until(async () => (await opened().violations()).length === 0, 'nothing stands there that should not')
    }
    await nothing()
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
    const tx = await space.begin({ leaseMs: 250 })
    await space.take(Task, { tx })
    const end = performance.now() + 600
    while (performance.now() < end) {
      await tx.renew(250)
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

  test('locks do not stop leases: an entry whose lease ends while it is held is gone after the abort', async () => {
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
  })

  test('…IfExists: null at once when there is none; waits while a transaction holds one, for what its end sets free', async () => {
    const { space, other } = opened()
    expect(await space.takeIfExists(Task, { waitMs: 60_000 })).toBeNull()
    await space.write(Task({ id: 'a' }))
    const tx = await other.begin()
    await other.take(Task, { tx })
    expect(await space.takeIfExists(Task)).toBeNull()
    expect(await space.takeIfExists(Task, { waitMs: 50 })).toBeNull()
    expect(await space.readIfExists(Other, { waitMs: 60_000 })).toBeNull()
    expect(await space.readIfExists(Task.template({ id: 'z' }), { waitMs: 60_000 })).toBeNull()
    const take = space.takeIfExists(Task, { waitMs: 60_000 })
    const read = space.readIfExists(Task.template({ id: 'a' }), { waitMs: 60_000 })
    expect(await pending(take, () => space.readIfExists(Other))).toBe(true)
    await tx.abort()
    expect(await take).toEqual({ id: 'a' })
    expect(await read).toEqual({ id: 'a' })
  })

  test('…IfExists: also for an uncommitted write; null as soon as that aborts, or its entry is gone', async () => {
    const { space, other } = opened()
    const tx = await other.begin()
    await other.write(BigTask({ id: 'a', shards: 1 }), { tx })
    const outcomes = [
      space.takeIfExists(Task, { waitMs: 60_000 }),
      space.readIfExists(Task.template({ id: 'a' }), { waitMs: 60_000 }),
      space.readIfExists(AnyEntry, { waitMs: 60_000 }),
    ]
    expect(await pending(Promise.race(outcomes), () => space.readIfExists(Other))).toBe(true)
    await tx.abort()
    expect(await Promise.all(outcomes)).toEqual([null, null, null])
    const next = await other.begin()
    await other.write(Task({ id: 'b' }), { tx: next })
    const taken = space.takeIfExists(Task, { waitMs: 60_000 })
    await pending(taken, () => space.readIfExists(Other))
    await next.commit()
    expect(await taken).toEqual({ id: 'b' })
  })

  test('…IfExists: a free match that is written meanwhile is taken; what one has taken oneself is no match', async () => {
    const { space, other } = opened()
    await space.write(Task({ id: 'a' }))
    const tx = await other.begin()
    await other.take(Task, { tx })
    expect(await other.readIfExists(Task, { tx, waitMs: 60_000 })).toBeNull()
    const waiting = space.takeIfExists(Task, { waitMs: 60_000 })
    await pending(waiting, () => space.readIfExists(Other))
    await other.write(Task({ id: 'b' }))
    expect(await waiting).toEqual({ id: 'b' })
    await tx.commit()
  })

  test('…IfExists: a take waits for what another has read, a read does not', async () => {
    const { space, other } = opened()
    await space.write(Task({ id: 'a' }))
    const tx = await other.begin()
    await other.read(Task, { tx })
    expect(await space.readIfExists(Task, { waitMs: 60_000 })).toEqual({ id: 'a' })
    const waiting = space.takeIfExists(Task, { waitMs: 60_000 })
    expect(await pending(waiting, () => space.readIfExists(Other))).toBe(true)
    await tx.commit()
    expect(await waiting).toEqual({ id: 'a' })
  })

  test('oldest first within a priority holds under one, too: among what is free, what was read, and what was written inside', async () => {
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
    expect(await space.takeAll([Task], { waitMs: 0 })).toMatchObject([{ id: 'read' }, { id: 'free' }, { id: 'later' }])
  })

  test('a take that waits under one gets what is written under the same in the same turn', async () => {
    const { space } = opened()
    for (let i = 0; i < 20; i++) {
      const tx = await space.begin()
      const waiting = space.take(Task, { tx, waitMs: 2_000 })
      const reading = space.read(Other, { tx, waitMs: 2_000 })
      void space.writeAll([Task({ id: 'a' }), Other({ id: 'b' })], { tx })
      expect(await Promise.all([waiting, reading])).toEqual([{ id: 'a' }, { id: 'b' }])
      await tx.abort()
    }
    await nothing()
  })

  test('what an abort sets free is not handed to what waits under the same', async () => {
    const { space, other } = opened()
    await space.write(Task({ id: 'a' }))
    const tx = await space.begin()
    await space.take(Task, { tx })
    const waiting = Promise.allSettled([space.take(Task, { tx }), space.takeIfExists(Other, { tx, waitMs: 60_000 })])
    await pending(waiting, () => space.readIfExists(Other))
    await tx.abort()
    expect(await other.takeIfExists(Task)).toEqual({ id: 'a' })
    expect(await waiting).toMatchObject([{ reason: { code: 'TRANSACTION_ENDED' } }, { value: null }])
  })

  test('what is handed to a take under one that is just ending is there for others', async () => {
    const { space, other } = opened()
    for (const end of ['commit', 'abort'] as const) {
      for (let i = 0; i < 10; i++) {
        const tx = await space.begin()
        const waiting = space.take(Task, { tx }).catch(({ code }) => code)
        await space.readIfExists(Other)
        await Promise.all([space.write(Task({ id: 'a' })), tx[end]()])
        const got = await waiting
        const left = await other.take(Task, { waitMs: got === 'TRANSACTION_ENDED' || end === 'abort' ? 2_000 : 0 })
        expect([got, left]).toEqual([
          expect.anything(),
          got === 'TRANSACTION_ENDED' || end === 'abort' ? { id: 'a' } : null,
        ])
      }
    }
  })

  test('what a take that is not awaited has taken is in its hands before the commit makes that final', async () => {
    const { space, other } = opened()
    const note = 'x'.repeat(5_000)
    for (const waitMs of [0, 10_000]) {
      await other.write(Task({ id: 'a', note }))
      const tx = await space.begin()
      const taking = space.take(Task, { tx, waitMs }).catch(({ code }) => code)
      await tx.commit()
      const found = [await taking, await other.takeIfExists(Task)]
      expect(found).toContainEqual({ id: 'a', note })
      expect(found.filter((each) => each?.id === 'a')).toHaveLength(1)
    }
  })

  test('of those who wait, a taker outside comes before a reader under one', async () => {
    const { space, other } = opened()
    const tx = await space.begin()
    const reading = space.read(Task, { tx })
    const taking = other.take(Task)
    await pending(taking, () => space.readIfExists(Other))
    await pending(reading, () => other.readIfExists(Other))
    await other.write(Task({ id: 'a' }))
    expect(await taking).toEqual({ id: 'a' })
    expect(await pending(reading, () => space.readIfExists(Other))).toBe(true)
    await other.write(Task({ id: 'b' }))
    expect(await reading).toEqual({ id: 'b' })
    await tx.commit()
    expect(await other.takeAll([Task], { waitMs: 0 })).toEqual([{ id: 'b' }])
  })

  test('…IfExists: who waits for another reader to end takes what it alone has read then', async () => {
    const { space, other } = opened()
    for (let i = 0; i < 10; i++) {
      await space.write(Task({ id: 'a' }))
      const one = await space.begin()
      const two = await other.begin()
      await space.read(Task, { tx: one })
      await other.read(Task, { tx: two })
      const upgrade = space.takeIfExists(Task, { tx: one, waitMs: 60_000 })
      expect(await pending(upgrade, () => space.readIfExists(Other))).toBe(true)
      await two.commit()
      expect(await upgrade).toEqual({ id: 'a' })
      await one.commit()
      await nothing()
    }
  })

  test('what is set free together goes to who waits in the order of its places', async () => {
    const { space, other } = opened()
    const ids = Array.from({ length: 8 }, (_, i) => `t${i}`)
    for (const id of ids) await space.write(Task({ id }), { priority: id === 't5' ? 1 : 0 })
    const tx = await space.begin()
    for (const id of [...ids].reverse()) await space.take(Task.template({ id }), { tx })
    const waiting = ids.map(() => other.take(Task))
    await pending(Promise.race(waiting), () => other.readIfExists(Other))
    await tx.abort()
    expect((await Promise.all(waiting)).map(({ id }) => id)).toEqual(['t5', 't0', 't1', 't2', 't3', 't4', 't6', 't7'])
  })

  test('what was set aside while one held it stays set aside, however that ends', async () => {
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

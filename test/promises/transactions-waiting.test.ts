/** What transactions promise to those who wait: under one, for the end of one, and in which order they are served. */
import { expect, test } from '@jest/globals'
import { gt } from '../../src/entry/conditions.js'
import { AnyEntry } from '../../src/entry.js'
import { everyEngine, testInOnePartition } from '../support/every-engine.js'
import { BigTask, Other, Task } from '../support/kinds.js'
import { pending } from '../support/pending.js'
import { until } from '../support/until.js'

everyEngine('waits and transactions', (opened) => {
  const nothing = async (): Promise<void> => {
    const { space } = opened()
    expect(await space.readIfExists(AnyEntry)).toBeNull()
  }

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

  test('a take is served although many takes of transactions that end in the same turn have waited longer', async () => {
    const { space } = opened()
    const under = await Promise.all(Array.from({ length: 12 }, () => space.begin()))
    const vain = under.map((tx) => space.take(Task, { tx, waitMs: 10_000 }).catch(() => null))
    expect(await pending(Promise.race(vain), () => space.readIfExists(Other))).toBe(true)
    const last = space.take(Task, { waitMs: 10_000 })
    expect(await pending(last, () => space.readIfExists(Other))).toBe(true)
    const ended = under.map((tx) => tx.abort())
    await space.write(Task({ id: 'a' }))
    expect(await last).toEqual({ id: 'a' })
    await Promise.all([...ended, ...vain])
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

  test('…IfExists: null when the lease of the held match has ended, although nobody asks for anything meanwhile', async () => {
    const { space, other } = opened()
    const tx = await other.begin()
    await space.write(Task({ id: 'a' }), { leaseMs: 300 })
    await other.take(Task, { tx })
    await other.write(BigTask({ id: 'b', shards: 1 }), { leaseMs: 400, tx })
    const ends = [
      space.takeIfExists(Task.template({ id: 'a' }), { waitMs: 60_000 }),
      space.readIfExists(Task, { waitMs: 60_000 }),
      space.takeIfExists(AnyEntry, { waitMs: 60_000 }),
    ]
    const clock = space.read(Other, { waitMs: 3_000 }).then(() => 'later')
    expect(await Promise.race([Promise.all(ends), clock])).toEqual([null, null, null])
    await tx.abort()
  })

  test('…IfExists: a renewed lease of the held match prolongs the wait, a shorter one shortens it', async () => {
    const { space, other } = opened()
    const tx = await other.begin()
    const lease = await space.write(Task({ id: 'a' }), { leaseMs: 300 })
    await other.take(Task, { tx })
    const taking = space.takeIfExists(Task, { waitMs: 60_000 })
    await pending(taking, () => space.readIfExists(Other))
    await lease.renew(60_000)
    // Longer than the first lease was.
    expect(await Promise.race([taking, space.read(Other, { waitMs: 600 }).then(() => 'waits')])).toBe('waits')
    const clock = space.read(Other, { waitMs: 3_000 }).then(() => 'later')
    await lease.renew(100)
    expect(await Promise.race([taking, clock])).toBeNull()
    await tx.abort()
  })

  testInOnePartition('…IfExists: many waits beside many held entries', async () => {
    const { space, other } = opened()
    const tx = await other.begin()
    const held = Array.from({ length: 1_100 }, (_, i) =>
      i % 2 ? Task({ id: `${i}` }) : BigTask({ id: `${i}`, shards: i }),
    )
    await other.writeAll(held, { tx })
    const outcomes = new Map<string, unknown>()
    const ask = (name: string, find: Promise<unknown>): Promise<unknown> =>
      find.then((found) => outcomes.set(name, found))
    const waits = Array.from({ length: 40 }, (_, i) => [
      ask(`there ${i}`, space.takeIfExists(Task.template({ id: `${i * 27}` }), { waitMs: 60_000 })),
      ask(`not there ${i}`, space.takeIfExists(Task.template({ id: `x${i}` }), { waitMs: 60_000 })),
      ask(`big ${i}`, space.readIfExists(BigTask.template({ shards: gt(1_096 - i * 40) }), { waitMs: 60_000 })),
      ask(`no such kind ${i}`, space.readIfExists(Other.template({ id: `${i}` }), { waitMs: 60_000 })),
    ]).flat()
    await Promise.all(waits.filter((_, i) => i % 4 === 1 || i % 4 === 3))
    await space.transact((own) => space.write(Other({ id: 'o' }), { tx: own }))
    await space.take(Other)
    expect([...outcomes.values()]).toEqual(Array(80).fill(null))
    await tx.abort()
    await Promise.all(waits)
    expect([...outcomes.values()]).toEqual(Array(160).fill(null))
    await nothing()
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

  testInOnePartition('of those who wait, a taker outside comes before a reader under one', async () => {
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

  testInOnePartition('what is set free together goes to who waits in the order of its places', async () => {
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
})

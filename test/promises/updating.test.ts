/** update: an entry is changed in one step, in its place, and nobody's change is lost. */
import { expect, test } from '@jest/globals'
import { z } from 'zod'
import { gt, lt } from '../../src/entry/conditions.js'
import { AnyEntry, defineEntry, entryInfo } from '../../src/entry.js'
import { everyEngine, testInOnePartition } from '../support/every-engine.js'
import { pending } from '../support/pending.js'
import { by, Counter, LARGE, Nothing, told } from './counters.js'

const Sub = Counter.extend<{ more?: number }>('SubCounter')

everyEngine({ what: 'updating', partitions: 'redis' }, (opened) => {
  const none = () => opened().space.readIfExists(Nothing)
  const now = { waitMs: 0 }

  test('fields are set, unset, incremented and appended, and all others stay', async () => {
    const { space, other } = opened()
    await space.write(Counter({ id: 'a', count: 1, big: 2n ** 70n, tags: ['x'], note: 'n' }))
    const changed = await other.update(by('a'), {
      set: { state: 'new' },
      unset: ['note'],
      increment: { count: 2, big: -1n },
      append: { tags: ['y', 'z'] },
    })
    const now = { id: 'a', count: 3, big: 2n ** 70n - 1n, tags: ['x', 'y', 'z'], state: 'new' }
    expect(changed).toEqual(now)
    expect(await space.readIfExists(by('a'))).toEqual(now)
    // Fields that the entry lacks begin with nothing.
    await space.write(Counter({ id: 'b' }))
    const begun = await other.update(by('b'), { increment: { count: 1.5, big: 1n }, append: { tags: 'x' } })
    expect(begun).toEqual({ id: 'b', count: 1.5, big: 1n, tags: ['x'] })
    expect(await space.take(by('b'))).toEqual(begun)
  })

  test('the entry keeps its id, priority, time and lease, and a later lease is its lease', async () => {
    const { space, other } = opened()
    const lease = await space.write(Counter({ id: 'a', count: 0 }), { priority: 3, leaseMs: 60_000 })
    const before = entryInfo(await space.read(by('a')))
    const after = entryInfo(await other.update(by('a'), { increment: { count: 1 } }))
    expect(after).toMatchObject({ id: lease.id, kind: 'Counter', priority: 3, writtenAt: before.writtenAt })
    expect(after.leaseMs).toBeLessThanOrEqual(60_000)
    expect(after.leaseMs).toBeGreaterThan(30_000)
    await lease.renew(Number.POSITIVE_INFINITY)
    const renewed = await other.update(by('a'), { increment: { count: 1 } })
    expect(entryInfo(renewed).leaseMs).toBe(Number.POSITIVE_INFINITY)
    await lease.cancel()
    expect(await other.update(by('a'), { increment: { count: 1 } }, now)).toBeNull()
  })

  testInOnePartition('the entry keeps its place: best first is as before', async () => {
    const { space } = opened()
    for (const id of ['a', 'b', 'c']) await space.write(Counter({ id, count: 0 }))
    await space.update(by('a'), { increment: { count: 9 } })
    await space.update(by('b'), { set: { state: 'x' } })
    const order: string[] = []
    for (let entry = await space.takeIfExists(Counter); entry; entry = await space.takeIfExists(Counter))
      order.push(entry.id)
    expect(order).toEqual(['a', 'b', 'c'])
  })

  test('it is found by its new fields and no more by the former ones, whatever the index', async () => {
    const { space, other } = opened()
    await space.write(Counter({ id: 'a', count: 1, state: 'new' }))
    await space.write(Counter({ id: 'b', count: 5, state: 'old' }))
    await other.update(by('a'), { set: { state: 'old' }, increment: { count: 10 } })
    expect(await space.readIfExists(Counter.template({ state: 'new' }))).toBeNull()
    expect(await space.readIfExists(Counter.template({ id: 'a', state: 'new' }))).toBeNull()
    expect(await space.readIfExists(Counter.template({ id: 'a', state: 'old' }))).toMatchObject({ count: 11 })
    expect(await space.readIfExists(Counter.template({ count: lt(5) }))).toBeNull()
    expect(await space.readIfExists(Counter.template({ count: gt(5) }))).toMatchObject({ id: 'a' })
    expect(await space.count(Counter.template({ state: 'old' }))).toBe(2)
    await other.update(by('a'), { unset: ['state', 'count'] })
    expect(await space.readIfExists(Counter.template({ count: gt(5) }))).toBeNull()
    expect(await space.count(Counter.template({ state: 'old' }))).toBe(1)
    expect(await space.count(Counter)).toBe(2)
  })

  test('of many at the same time none is lost, in one process and in two', async () => {
    const { space, other } = opened()
    await space.write(Counter({ id: 'a', count: 0, tags: [] }))
    const added = Array.from({ length: 40 }, (_, i) =>
      (i % 2 ? space : other).update(by('a'), { increment: { count: 1 }, append: { tags: String(i) } }),
    )
    const seen = (await Promise.all(added)).map(({ count }) => count)
    expect(seen.sort((a, b) => a! - b!)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1))
    const { count, tags } = await space.take(by('a'))
    expect([count, new Set(tags).size]).toEqual([40, 40])
  })

  test('of many that ask for the best of a state each gets another one', async () => {
    const { space, other } = opened()
    await space.writeAll(Array.from({ length: 10 }, (_, i) => Counter({ id: `${i}`, state: 'new' })))
    const claimed = await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        (i % 2 ? space : other).update(Counter.template({ state: 'new' }), { set: { state: 'held' } }, now),
      ),
    )
    const ids = claimed.flatMap((entry) => (entry ? [entry.id] : []))
    expect([ids.length, new Set(ids).size]).toEqual([10, 10])
    expect(await space.count(Counter.template({ state: 'held' }))).toBe(10)
  })

  test('it waits for a match: one that is written, put back, committed or changed', async () => {
    const { space, other } = opened()
    const increment = { increment: { count: 1 } }
    const written = space.update(by('a'), increment)
    expect(await pending(written, none)).toBe(true)
    await other.write(Counter({ id: 'a', count: 0 }))
    expect(await written).toMatchObject({ count: 1 })
    const tx = await other.begin()
    await other.take(by('a'), { tx })
    const putBack = space.update(by('a'), increment)
    expect(await pending(putBack, none)).toBe(true)
    await tx.abort()
    expect(await putBack).toMatchObject({ count: 2 })
    const changed = space.update(Counter.template({ id: 'a', state: 'ready' }), increment)
    expect(await pending(changed, none)).toBe(true)
    await other.update(by('a'), { set: { state: 'ready' } })
    expect(await changed).toMatchObject({ count: 3, state: 'ready' })
    expect(await space.update(by('b'), increment, { waitMs: 30 })).toBeNull()
    expect(await space.update(by('b'), increment, now)).toBeNull()
  })

  test('a wait ends with its signal, with its transaction and with the space', async () => {
    const { space } = opened()
    const ends = new AbortController()
    const waiting = space.update(by('a'), { increment: { count: 1 } }, { signal: ends.signal })
    expect(await pending(waiting, none)).toBe(true)
    ends.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    const tx = await space.begin()
    const under = space.update(by('a'), { increment: { count: 1 } }, { tx })
    expect(await pending(under, none)).toBe(true)
    await Promise.all([expect(under).rejects.toMatchObject({ code: 'TRANSACTION_ENDED' }), tx.abort()])
    const last = space.update(by('a'), { increment: { count: 1 } })
    expect(await pending(last, none)).toBe(true)
    await Promise.all([expect(last).rejects.toMatchObject({ code: 'SPACE_CLOSED' }), space.close()])
    await expect(space.update(by('a'), { set: { count: 1 } })).rejects.toMatchObject({ code: 'SPACE_CLOSED' })
  })

  test('waiting takes and reads that match the new fields are served at once, with the same entry', async () => {
    const { space, other } = opened()
    const lease = await space.write(Counter({ id: 'a', count: 1, state: 'new' }))
    const done = Counter.template({ state: 'done' })
    const [taking, reading, ranged] = [
      other.take(done),
      space.read(done),
      space.read(Counter.template({ count: gt(4) })),
    ]
    expect(await pending(Promise.race([taking, reading, ranged]), none)).toBe(true)
    await space.update(by('a'), { set: { state: 'done', count: 5 } })
    for (const entry of await Promise.all([taking, reading, ranged])) {
      expect(entry).toEqual({ id: 'a', count: 5, state: 'done' })
      expect(entryInfo(entry).id).toBe(lease.id)
    }
    expect(await space.readIfExists(Counter)).toBeNull()
  })

  test('changed: each change of what matches; visible and available: what matches only since then', async () => {
    const { space } = opened()
    const template = Counter.template({ state: 'x' })
    await space.write(Counter({ id: 'a', count: 0 }))
    const changed = await told(opened(), { on: 'changed' })
    const ofX = await told(opened(), { on: 'changed' }, template)
    const available = await told(opened(), { on: 'available' }, template)
    const visible = await told(opened(), { on: 'visible' }, template)
    const written = await told(opened(), { on: 'written' })
    const increment = { count: 1 }
    await space.update(by('a'), { increment })
    await space.update(by('a'), { increment, set: { state: 'x' } })
    await space.update(by('a'), { increment })
    await space.update(by('a'), { increment, set: { state: 'y' } })
    expect(await changed(4)).toEqual([1, 2, 3, 4])
    expect(await ofX(2)).toEqual([2, 3])
    expect(await available(1)).toEqual([2])
    expect(await visible(1)).toEqual([2])
    expect(await written(0)).toEqual([])
  })

  test('if: with a template only a match with these values is changed, and it is waited for', async () => {
    const { space, other } = opened()
    await space.write(Counter({ id: 'a', count: 3, note: null }))
    const set = { set: { state: 'x' } }
    expect(await other.update(by('a'), set, { if: { count: 2 }, waitMs: 0 })).toBeNull()
    expect(await other.update(by('a'), set, { if: { id: 'b' }, waitMs: 0 })).toBeNull()
    expect(await other.update(by('a'), set, { if: { count: 3, note: null }, waitMs: 0 })).toMatchObject({ state: 'x' })
    const waiting = other.update(by('a'), { set: { state: 'y' } }, { if: { count: 4 } })
    expect(await pending(waiting, none)).toBe(true)
    await space.update(by('a'), { increment: { count: 1 } })
    expect(await waiting).toMatchObject({ count: 4, state: 'y' })
  })

  test('by id: that entry, at once; null if it is gone, held, or has other values', async () => {
    const { space, other } = opened()
    const { id } = await space.write(Sub({ id: 'a', count: 3, more: 1 }))
    expect(await other.update(id, { increment: { count: 1, more: 1 } })).toEqual({ id: 'a', count: 4, more: 2 })
    expect(await other.update(id, { set: { count: 0 } }, { if: { count: 3 } })).toBeNull()
    expect(await other.update(id, { set: { count: 0 } }, { if: { count: 4, more: 2 } })).toMatchObject({ count: 0 })
    const tx = await space.begin()
    expect(await space.update(id, { set: { count: 1 } }, { tx })).toMatchObject({ count: 1 })
    expect(await other.update(id, { set: { count: 2 } })).toBeNull()
    await tx.commit()
    expect(await other.read(Sub)).toMatchObject({ count: 1 })
    await other.take(Sub)
    expect(await other.update(id, { set: { count: 2 } })).toBeNull()
    expect(await other.update('nothing', { set: { count: 2 } })).toBeNull()
  })

  test('large entries are changed as others, and what was large may become small', async () => {
    const { space, other } = opened()
    await space.write(Counter({ id: 'a', count: 1 }))
    await other.update(by('a'), { set: { note: LARGE } })
    expect(await space.readIfExists(by('a'))).toEqual({ id: 'a', count: 1, note: LARGE })
    await other.update(by('a'), { set: { note: `${LARGE}2` }, increment: { count: 1 } })
    expect(await space.readIfExists(by('a'))).toEqual({ id: 'a', count: 2, note: `${LARGE}2` })
    await other.update(by('a'), { unset: ['note'] })
    expect(await space.readIfExists(by('a'))).toEqual({ id: 'a', count: 2 })
    const added = Array.from({ length: 6 }, (_, i) =>
      (i % 2 ? space : other).update(by('a'), { append: { tags: LARGE } }),
    )
    await Promise.all(added)
    expect((await space.take(by('a'))).tags).toEqual(Array(6).fill(LARGE))
  })

  test('an entry of an extending kind is changed by a template of its parent, and keeps its kind', async () => {
    const { space, other } = opened()
    await space.write(Sub({ id: 'a', count: 1, more: 2 }))
    expect(await other.update(by('a'), { increment: { count: 1 } })).toEqual({ id: 'a', count: 2, more: 2 })
    expect(await space.takeIfExists(Sub.template({ more: 2 }))).toEqual({ id: 'a', count: 2, more: 2 })
    await space.write(Sub({ id: 'b' }))
    expect(await other.update(AnyEntry.template({ id: 'b' }), { set: { more: 1 } })).toEqual({ id: 'b', more: 1 })
  })

  test('nothing invalid is stored, and nothing is changed then', async () => {
    const { space, other } = opened()
    const Few = defineEntry('Few', {
      schema: z.object({ n: z.number().max(3), at: z.date().optional() }),
      index: ['n'],
    })
    await space.write(Few({ n: 2 }))
    expect(await other.update(Few, { increment: { n: 1 } })).toEqual({ n: 3 })
    await expect(other.update(Few, { increment: { n: 1 } })).rejects.toMatchObject({ code: 'INVALID_ENTRY' })
    expect(await space.update(Few, { set: { n: 1, at: new Date(5) } })).toEqual({ n: 1, at: new Date(5) })
    // Another process has changed the entry that this one remembers.
    expect(await other.update(Few, { increment: { n: 1 } })).toEqual({ n: 2, at: new Date(5) })
    await space.write(Counter({ id: 'a', count: 1, note: 'n' }))
    const wrong = [{ increment: { count: 1n } }, { increment: { note: 1 } }, { append: { note: 'x' } }]
    for (const changes of wrong) {
      await expect(space.update(by('a'), changes as never)).rejects.toMatchObject({ code: 'INVALID_ENTRY' })
    }
    expect(await space.read(by('a'))).toEqual({ id: 'a', count: 1, note: 'n' })
  })

  test('the field that decides the partition stays as it is', async () => {
    const { space } = opened()
    const Keyed = defineEntry<{ lane: string; n: number }>('KeyedCounter', { partition: 'lane' })
    await space.write(Keyed({ lane: 'a', n: 1 }))
    await expect(space.update(Keyed, { set: { lane: 'b' } })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('lane decides the partition'),
    })
    expect(await space.update(Keyed, { set: { lane: 'a', n: 2 } })).toEqual({ lane: 'a', n: 2 })
  })

  test('malformed changes and options are refused before anything is done', async () => {
    const { space } = opened()
    await space.write(Counter({ id: 'a', count: 1 }))
    const refused: readonly unknown[] = [
      null,
      {},
      { set: {} },
      [],
      { add: { count: 1 } },
      { set: { count: undefined } },
      { set: [1] },
      { unset: 'note' },
      { unset: [1] },
      { increment: { count: '1' } },
      { increment: { count: 1 }, set: { count: 2 } },
      { unset: ['note', 'note'] },
    ]
    for (const changes of refused) {
      await expect(space.update(by('a'), changes as never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
    const set = { set: { count: 2 } }
    for (const options of [{ wait: 1 }, { waitMs: -1 }, null, { tx: {} }, { signal: 1 }]) {
      await expect(space.update(by('a'), set, options as never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
    for (const [id, options] of [
      ['', {}],
      ['x', { waitMs: 1 }],
      ['x'.repeat(201), {}],
    ] as const) {
      await expect(space.update(id, set, options as never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
    for (const changes of [
      { set: { note: () => 1 } },
      { append: { tags: [Symbol('s')] } },
      { increment: { count: Number.NaN } },
    ]) {
      await expect(space.update(by('a'), changes as never)).rejects.toMatchObject({ code: 'INVALID_ENTRY' })
    }
    await expect(space.update(Nothing, set as never, { waitMs: 0 })).resolves.toBeNull()
    expect(await space.read(by('a'))).toEqual({ id: 'a', count: 1 })
  })
})

/** watch: events in order, no more of them kept than was said, what is lost told in its place, and an end. */
import { expect, test } from '@jest/globals'
import { AnyEntry } from '../../src/entry.js'
import type { Watch } from '../../src/space/watch.js'
import type { Space } from '../../src/space.js'
import { everyEngine, testInOnePartition } from '../support/every-engine.js'
import { BigTask, Other, Task } from '../support/kinds.js'
import { until } from '../support/until.js'

/** Counts the events that have come to this process: what a listener has seen has come for a watch, too. */
async function arrivals(space: Space): Promise<(n: number) => Promise<void>> {
  let seen = 0
  await space.notify([AnyEntry], () => void seen++)
  return (n) => until(() => seen >= n, `${n} events`)
}

const next = async <T>(watch: Watch<T>): Promise<T | undefined> => (await watch.next()).value

/** The ids that the engine has given registrations from now on. */
function registrationsOf({ engine }: Space): string[] {
  const ids: string[] = []
  const notify = engine.notify.bind(engine)
  engine.notify = async (interest) => {
    const registered = await notify(interest)
    ids.push(registered.id)
    return registered
  }
  return ids
}

everyEngine('watch', (opened) => {
  testInOnePartition(
    'yields the events of one template or several in order, from the call on; break ends the registration',
    async () => {
      const { space, other } = opened()
      const registered = registrationsOf(space)
      const watch = space.watch(Task)
      const several = space.watch([BigTask, Other])
      await Promise.all([watch.ready, several.ready])
      for (const id of ['a', 'b', 'c']) await other.write(Task({ id, note: 'n'.repeat(id === 'b' ? 5_000 : 1) }))
      await other.write(BigTask({ id: 'd', shards: 1 }))
      await other.write(Other({ id: 'o' }))
      const seen: [string, number][] = []
      for await (const { entry, sequence, missed } of watch) {
        expect(missed).toBeUndefined()
        if (!entry) continue
        seen.push([entry.id, sequence])
        if (seen.length === 4) break
      }
      expect(seen).toEqual(['a', 'b', 'c', 'd'].map((id, i) => [id, i + 1]))
      expect([(await next(several))?.entry?.id, (await next(several))?.entry?.id].toSorted()).toEqual(['d', 'o'])
      await several.return()
      expect((await watch.next()).done).toBe(true)
      expect(registered).toHaveLength(2)
      for (const id of registered)
        await until(async () => (await space.engine.renew(id, 1_000)) === null, 'it has ended')
    },
  )

  test('each change is one event, numbered without a gap, from whatever partition', async () => {
    const { space, other } = opened()
    await using watch = space.watch([Task, Other])
    await watch.ready
    await other.writeAll([Task({ id: 'a' })])
    for (const id of ['b', 'c']) await other.write(Task({ id, note: 'n'.repeat(5_000) }))
    await other.write(Other({ id: 'o' }))
    const events = [await next(watch), await next(watch), await next(watch), await next(watch)]
    expect(events.map((event) => event?.entry?.id).toSorted()).toEqual(['a', 'b', 'c', 'o'])
    expect(events.map((event) => event?.sequence)).toEqual([1, 2, 3, 4])
  })

  test('what this process does after the call is an event, although nothing was awaited', async () => {
    const { space } = opened()
    const watch = space.watch(Task, { on: 'visible' })
    await space.write(Task({ id: 'a' }))
    expect(await next(watch)).toMatchObject({ entry: { id: 'a' } })
    await watch.return()
  })

  testInOnePartition('on: which changes', async () => {
    const { space, other } = opened()
    await other.write(Task({ id: 'a' }))
    await using written = space.watch(Task)
    await using visible = space.watch(Task, { on: 'visible' })
    await Promise.all([written.ready, visible.ready])
    const tx = await other.begin()
    await other.take(Task, { tx })
    await tx.abort()
    await other.write(Task({ id: 'b' }))
    expect(await next(visible)).toMatchObject({ entry: { id: 'a' } })
    expect(await next(written)).toMatchObject({ entry: { id: 'b' } })
  })

  testInOnePartition('a slow loop: so many are kept, and behind them how many were lost; then it goes on', async () => {
    const { space, other } = opened()
    const come = await arrivals(space)
    await using watch = space.watch(Task, { max: 3 })
    await watch.ready
    for (let i = 0; i < 10; i++) await other.write(Task({ id: `t${i}` }))
    await come(10)
    expect(await next(watch)).toMatchObject({ entry: { id: 't0' }, sequence: 1 })
    await other.write(Task({ id: 'also lost' }))
    await come(11)
    expect(await next(watch)).toMatchObject({ entry: { id: 't1' }, sequence: 2 })
    expect(await next(watch)).toMatchObject({ entry: { id: 't2' }, sequence: 3 })
    expect(await next(watch)).toEqual({ missed: 8, sequence: 11 })
    const waiting = next(watch)
    await other.write(Task({ id: 'later' }))
    expect(await waiting).toMatchObject({ entry: { id: 'later' }, sequence: 12 })
  })

  testInOnePartition('in batches: full ones at once, others when the time is over', async () => {
    const { space, other } = opened()
    const come = await arrivals(space)
    await using quick = space.watch(Task, { maxBatch: 4 })
    await using slow = space.watch(Task, { maxBatch: 4, maxWaitMs: 3_000_000 })
    await using timed = space.watch(Task, { maxBatch: 100, maxWaitMs: 40 })
    await Promise.all([quick.ready, slow.ready, timed.ready])
    for (let i = 0; i < 6; i++) await other.write(Task({ id: `t${i}` }))
    await come(6)
    const sizes = async (watch: typeof quick): Promise<unknown> => (await next(watch))?.map(({ entry }) => entry?.id)
    expect(await sizes(quick)).toEqual(['t0', 't1', 't2', 't3'])
    expect(await sizes(quick)).toEqual(['t4', 't5'])
    expect(await sizes(slow)).toEqual(['t0', 't1', 't2', 't3'])
    expect(await sizes(timed)).toEqual(['t0', 't1', 't2', 't3', 't4', 't5'])
    const rest = sizes(slow)
    await other.writeAll(Array.from({ length: 2 }, (_, i) => Task({ id: `u${i}` })))
    expect(await rest).toEqual(['t4', 't5', 'u0', 'u1'])
  })

  test('its lease is renewed while it is looked at, and ends if it never is', async () => {
    const { space, other } = opened()
    const registered = registrationsOf(space)
    const renewed: string[] = []
    const renew = space.engine.renew.bind(space.engine)
    space.engine.renew = async (id, leaseMs) => {
      const grant = await renew(id, leaseMs)
      if (grant) renewed.push(id)
      return grant
    }
    await using looked = space.watch(Task, { leaseMs: 3_000 })
    const waiting = next(looked)
    await looked.ready
    const forgotten = space.watch(Task, { leaseMs: 50 })
    await forgotten.ready
    await until(() => renewed.length > 0, 'a lease is renewed')
    await other.write(Task({ id: 'a' }))
    expect(await waiting).toMatchObject({ entry: { id: 'a' }, sequence: 1 })
    expect(await renew(registered[1]!, 60_000)).toBeNull()
    await expect(forgotten.next()).rejects.toMatchObject({ code: 'LEASE_UNKNOWN' })
    expect(new Set(renewed)).toEqual(new Set([registered[0]]))
  })

  test('a signal, return() and close() end it while it waits', async () => {
    const { space } = opened()
    const controller = new AbortController()
    const signalled = space.watch(Task, { signal: controller.signal })
    const signalling = expect(signalled.next()).rejects.toThrow('enough')
    const returned = space.watch(Task)
    const returning = returned.next()
    const closed = space.watch(Task)
    const closing = expect(closed.next()).rejects.toMatchObject({ code: 'SPACE_CLOSED' })
    const unread = space.watch(Task)
    await Promise.all([signalled.ready, returned.ready, closed.ready, unread.ready])
    controller.abort(new Error('enough'))
    await signalling
    await expect(space.watch(Task, { signal: controller.signal }).next()).rejects.toThrow('enough')
    await returned.return()
    expect((await returning).done).toBe(true)
    await space.close()
    await closing
    await expect(unread.next()).rejects.toMatchObject({ code: 'SPACE_CLOSED' })
    await expect(space.watch(Task).next()).rejects.toMatchObject({ code: 'SPACE_CLOSED' })
  })

  test('under a transaction it ends with that, behind what it has kept', async () => {
    const { space, other } = opened()
    const tx = await space.begin()
    const watch = space.watch([Task, Other], { tx })
    await watch.ready
    await space.write(Task({ id: 'in' }), { tx })
    await tx.abort()
    expect(await next(watch)).toMatchObject({ entry: { id: 'in' } })
    expect((await watch.next()).done).toBe(true)
    await expect(other.watch(Task, { tx }).next()).rejects.toMatchObject({ code: 'TRANSACTION_ENDED' })
  })

  test('bad arguments are refused with the first item, and nothing is registered', async () => {
    const { space } = opened()
    const registered = registrationsOf(space)
    const wrong = { code: 'INVALID_ARGUMENT' }
    for (const templates of [[], {}, [Task, {}], null]) {
      await expect(space.watch(templates as never).next()).rejects.toMatchObject(wrong)
    }
    for (const options of [
      { max: 0 },
      { max: Number.POSITIVE_INFINITY },
      { on: 'taken' },
      { leaseMs: -1 },
      { maxBatch: 0 },
      { maxBatch: 10_001 },
      { maxWaitMs: 5 },
      { maxBatch: 5, maxWaitMs: Number.POSITIVE_INFINITY },
      { signal: 5 },
      { tx: {} },
      { maks: 5 },
    ]) {
      await expect(space.watch(Task, options as never).next()).rejects.toMatchObject(wrong)
    }
    await expect(space.watch(Task, { max: 0 }).ready).rejects.toMatchObject(wrong)
    expect(registered).toEqual([])
  })
})

everyEngine('notify in batches', (opened) => {
  testInOnePartition('the listener gets lists, in order: what came while it was busy, at most so many', async () => {
    const { space, other } = opened()
    const come = await arrivals(space)
    const batches: string[][] = []
    const sequences: number[] = []
    let release = (): void => {}
    await space.notify(
      [Task],
      async (events) => {
        batches.push(events.map(({ entry }) => entry.id))
        sequences.push(...events.map(({ sequence }) => sequence))
        if (batches.length === 1) await new Promise<void>((resolve) => (release = resolve))
      },
      { maxBatch: 4 },
    )
    for (let i = 0; i < 8; i++) await other.write(Task({ id: `t${i}` }))
    await come(8)
    expect(batches).toEqual([['t0']])
    release()
    await until(() => sequences.length === 8, 'all have come')
    expect(batches).toEqual([['t0'], ['t1', 't2', 't3', 't4'], ['t5', 't6', 't7']])
    expect(sequences).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  })

  test('a batch waits until it is full or its time is over; one that throws is reported once', async () => {
    const { space, other } = opened()
    const full: number[] = []
    const timed: number[] = []
    const errors: unknown[] = []
    await space.notify([Task], (events) => full.push(events.length), { maxBatch: 3, maxWaitMs: 3_000_000 })
    await space.notify([Task], (events) => timed.push(events.length), { maxBatch: 100, maxWaitMs: 30 })
    const fail = (): never => {
      throw new RangeError('mine')
    }
    await space.notify([Task], fail, { maxBatch: 7, maxWaitMs: 3_000_000, onError: (error) => errors.push(error) })
    await other.writeAll(Array.from({ length: 7 }, (_, i) => Task({ id: `t${i}` })))
    await until(() => timed.reduce((sum, n) => sum + n, 0) === 7 && errors.length > 0, 'all have come')
    expect(full).toEqual([3, 3])
    expect(errors).toHaveLength(1)
    const wrong = { code: 'INVALID_ARGUMENT' }
    for (const options of [{ maxBatch: 0 }, { maxBatch: 10_001 }, { maxWaitMs: 5 }, { maxBatch: 5, maxWaitMs: -1 }]) {
      await expect(space.notify([Task], () => {}, options as never)).rejects.toMatchObject(wrong)
    }
  })
})

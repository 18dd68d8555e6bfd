/** A bounded space: what is over the bound is refused whole with SPACE_FULL, all else goes on, and what is taken makes room. */
import { describe, expect, test } from '@jest/globals'
import { DEAD_LETTER } from '../../src/engine.js'
import { defineEntry } from '../../src/entry.js'
import { openSpace } from '../../src/open.js'
import { type HeldRequest, serveRequests } from '../../src/request.js'
import type { Space } from '../../src/space.js'
import { OK, outcomeOf, send } from '../faults/requests.js'
import { everyEngine } from '../support/every-engine.js'
import { Task } from '../support/kinds.js'
import { until } from '../support/until.js'

const Note = defineEntry<{ text: string }>('Note')
const FULL = { code: 'SPACE_FULL', status: 503, retryable: true }

const tasks = (n: number) => Array.from({ length: n }, (_, i) => Task({ id: `t${i}` }))

everyEngine({ what: 'A bounded space', partitions: 'none' }, (opened, engine) => {
  const idsIn = async (space: Space): Promise<string[]> => {
    const ids: string[] = []
    for await (const { id } of space.contents(Task)) ids.push(id)
    return ids.sort()
  }

  test('takes so many entries and refuses the next one; what is taken makes room at once', async () => {
    const { other, bounded } = opened()
    const space = await bounded({ maxEntries: 3 })
    for (const task of tasks(3)) await space.write(task)
    await expect(space.write(Task({ id: 'over' }))).rejects.toMatchObject(FULL)
    expect((await space.engine.health()).full).toBe(true)
    await other.take(Task)
    await space.write(Task({ id: 'fits' }))
    await expect(space.write(Task({ id: 'over' }))).rejects.toMatchObject(FULL)
    expect(await idsIn(other)).toEqual(['fits', 't1', 't2'])
  })

  test('writes all or none', async () => {
    const { other, bounded } = opened()
    const space = await bounded({ maxEntries: 4 })
    await space.writeAll(tasks(2))
    await expect(space.writeAll(tasks(3))).rejects.toMatchObject(FULL)
    expect(await idsIn(other)).toEqual(['t0', 't1'])
    await space.writeAll(tasks(2))
    expect((await idsIn(other)).length).toBe(4)
  })

  test('counts exactly when many write at once', async () => {
    const { other, bounded } = opened()
    const writers = [await bounded({ maxEntries: 50 }), await bounded({ maxEntries: 50 })]
    const writes = tasks(200).map((task, i) => (writers[i % 2] as Space).write(task))
    const results = await Promise.allSettled(writes)
    expect(results.filter(({ status }) => status === 'fulfilled').length).toBe(50)
    expect((await idsIn(other)).length).toBe(50)
  })

  test('reads, takes, renewals and cancels go on when it is full', async () => {
    const { bounded } = opened()
    const space = await bounded({ maxEntries: 3 })
    const leases = await space.writeAll(tasks(3))
    await expect(space.write(Task({ id: 'over' }))).rejects.toMatchObject(FULL)
    expect(await space.read(Task)).toEqual({ id: 't0' })
    await leases[0]?.renew(60_000)
    await leases[1]?.cancel()
    expect(await space.take(Task)).toEqual({ id: 't0' })
    expect(await space.take(Task)).toEqual({ id: 't2' })
    await space.writeAll(tasks(3))
  })

  test('what is dead on arrival needs no room, and what has ended makes some', async () => {
    const { bounded } = opened()
    const space = await bounded({ maxEntries: 2 })
    await space.writeAll(tasks(2), { leaseMs: 100 })
    await space.write(Task({ id: 'dead' }), { leaseMs: 0 })
    await expect(space.write(Task({ id: 'over' }))).rejects.toMatchObject(FULL)
    await until(
      () =>
        space.writeAll(tasks(2)).then(
          () => true,
          () => false,
        ),
      'what has ended has made room',
    )
    expect(await idsIn(space)).toEqual(['t0', 't1'])
  })

  test('what a transaction has taken makes room for its own writes, and for others when it has committed', async () => {
    const { bounded } = opened()
    const space = await bounded({ maxEntries: 2 })
    await space.writeAll(tasks(2))
    const tx = await space.begin()
    await space.take(Task, { tx })
    await expect(space.write(Task({ id: 'over' }))).rejects.toMatchObject(FULL)
    const awaited = space.write(Task({ id: 'instead' }), { tx })
    await awaited
    await tx.commit()
    expect(await idsIn(space)).toEqual(['instead', 't1'])
    await expect(space.write(Task({ id: 'over' }))).rejects.toMatchObject(FULL)
    await space.transact(async (own) => {
      await space.take(Task, { tx: own })
      void space.write(Task({ id: 'along' }), { tx: own })
    })
    expect(await idsIn(space)).toEqual(['along', 'instead'])
  })

  test('a write under a transaction is refused, and what that took is back when it aborts', async () => {
    const { bounded } = opened()
    const space = await bounded({ maxEntries: 2 })
    await space.writeAll(tasks(2))
    const tx = await space.begin()
    await space.take(Task, { tx })
    // Seen by its own transaction, so that it goes out before the end.
    const write = space.writeAll([Task({ id: 'a' }), Task({ id: 'b' })], { tx })
    const refused = expect(write).rejects.toMatchObject(FULL)
    expect(await space.read(Task, { tx })).toEqual({ id: 't1' })
    await refused
    await expect(tx.commit()).rejects.toMatchObject(FULL)
    expect(await idsIn(space)).toEqual(['t0', 't1'])
  })

  test('a commit that brings too much with it is refused, and nothing of it is seen; it can be committed when there is room', async () => {
    const { other, bounded } = opened()
    const space = await bounded({ maxEntries: 3 })
    await space.writeAll(tasks(3))
    const tx = await space.begin()
    await space.take(Task.template({ id: 't0' }), { tx })
    void space.writeAll([Task({ id: 'a' }), Task({ id: 'b', note: 'x'.repeat(5_000) })], { tx })
    await expect(tx.commit()).rejects.toMatchObject(FULL)
    expect(await idsIn(other)).toEqual(['t1', 't2'])
    await other.take(Task)
    await tx.commit()
    expect(await idsIn(other)).toEqual(['a', 'b', 't2'])
    expect(await other.read(Task.template({ id: 'b' }))).toEqual({ id: 'b', note: 'x'.repeat(5_000) })
  })

  test('a commit that was refused can be aborted, and one under transact is', async () => {
    const { other, bounded } = opened()
    const space = await bounded({ maxEntries: 2 })
    await space.writeAll(tasks(2))
    const tx = await space.begin()
    await space.take(Task.template({ id: 't0' }), { tx })
    void space.writeAll(tasks(2), { tx })
    await expect(tx.commit()).rejects.toMatchObject(FULL)
    await tx.abort()
    expect(await idsIn(other)).toEqual(['t0', 't1'])
    const run = space.transact(async (own) => {
      await space.take(Task.template({ id: 't1' }), { tx: own })
      void space.writeAll(tasks(2), { tx: own })
    })
    await expect(run).rejects.toMatchObject(FULL)
    expect(await idsIn(other)).toEqual(['t0', 't1'])
  })

  test('a commit that brings nothing with it is never refused', async () => {
    const { space, bounded } = opened()
    const one = await bounded({ maxEntries: 3 })
    const tx = await one.begin()
    await one.writeAll(tasks(3), { tx })
    // It reads what it has written: all of that is in the space.
    await one.read(Task, { tx })
    await space.writeAll(tasks(5))
    await tx.commit()
    expect((await idsIn(space)).length).toBe(8)
  })

  test('what leaves no more than there was is taken, also where others have written beyond the bound', async () => {
    const { other, bounded } = opened()
    await other.writeAll(tasks(5))
    const space = await bounded({ maxEntries: 2, maxBytes: 10 })
    await expect(space.write(Task({ id: 'over' }))).rejects.toMatchObject(FULL)
    await space.transact(async (tx) => {
      await space.take(Task, { tx })
      await space.take(Task, { tx })
      void space.write(Task({ id: 'for two' }), { tx })
    })
    expect(await idsIn(other)).toEqual(['for two', 't2', 't3', 't4'])
  })

  test('what many handlers write with their answers in one turn is counted exactly', async () => {
    const { other, bounded } = opened()
    const asked = Array.from({ length: 8 }, (_, i) => send(other, `/${i}`, { repeatable: true }))
    const worker = await bounded({ maxEntries: 11 })
    const held: HeldRequest[] = []
    const serving = await serveRequests(worker, 'web', 8, (taken) => void held.push(taken))
    await until(() => held.length === 8, 'all are held')
    const given = await Promise.allSettled(
      held.map((taken) => {
        void worker.writeAll(tasks(2), { tx: taken.transaction })
        return taken.complete(OK)
      }),
    )
    // Each is one more than there was.
    expect(given.filter(({ status }) => status === 'fulfilled').length).toBe(3)
    await Promise.all(held.map((taken) => taken.complete(OK)))
    expect(new Set(await Promise.all(asked.map(outcomeOf)))).toEqual(new Set(['200']))
    expect((await idsIn(other)).length).toBe(6)
    await serving.stop()
  })

  test('a request over the bound is refused; answers, also large ones, and what a handler wrote with one are taken', async () => {
    const { other, bounded } = opened()
    const space = await bounded({ maxEntries: 2 })
    const asked = ['/1', '/2'].map((path) => send(space, path, { repeatable: true }))
    expect(await outcomeOf(send(space, '/3', { repeatable: true }))).toBe('SPACE_FULL')
    const worker = await bounded({ maxEntries: 2 })
    const large = { ...OK, body: Buffer.alloc(10_000, 'x') }
    const serving = await serveRequests(worker, 'web', 1, async (taken) => {
      await taken.start()
      // One for the request that it ends.
      void worker.write(Task({ id: taken.id }), { tx: taken.transaction })
      await taken.complete(large)
    })
    expect(await Promise.all(asked.map(outcomeOf))).toEqual(['200', '200'])
    expect((await idsIn(other)).length).toBe(2)
    await serving.stop()
  })

  test('an answer whose transaction brings too much with it can be given without', async () => {
    const { other, bounded } = opened()
    const space = await bounded({ maxEntries: 1 })
    const sent = send(space, '/', { repeatable: true })
    const refusals: unknown[] = []
    const serving = await serveRequests(space, 'web', 1, async (taken) => {
      void space.writeAll(tasks(2), { tx: taken.transaction })
      await taken.complete(OK).catch((error) => refusals.push(error))
      await taken.complete(OK)
    })
    expect(await outcomeOf(sent)).toBe('200')
    expect(refusals).toEqual([expect.objectContaining(FULL)])
    expect(await idsIn(other)).toEqual([])
    await serving.stop()
  })

  test('a dead letter is never refused', async () => {
    const { other, bounded } = opened()
    const space = await bounded({ maxEntries: 1 })
    const { id } = await space.write(Task({ id: 'x' }))
    expect(await other.engine.deadLetter(id, 'tried')).toBe(true)
    const letters = { kind: DEAD_LETTER, root: DEAD_LETTER, indexed: [], verified: [] }
    expect((await other.engine.list(letters, null, 10)).entries.length).toBe(1)
    await expect(space.write(Task({ id: 'over' }))).rejects.toMatchObject(FULL)
  })

  describe.each([
    ['small', 1_000],
    ['large', 20_000],
  ])('in bytes, with %s entries', (_what, size) => {
    const note = () => Note({ text: 'x'.repeat(size) })

    test('takes as many as fit, within a third, refuses the next, and takes more when some are taken', async () => {
      const { other, bounded } = opened()
      const space = await bounded({ maxBytes: size * 100 })
      let written = 0
      const fill = async (): Promise<unknown> => {
        for (;;) {
          await space.write(note())
          written++
        }
      }
      await expect(fill()).rejects.toMatchObject(FULL)
      expect(written).toBeGreaterThan(66)
      expect(written).toBeLessThanOrEqual(100)
      const before = written
      for (let i = 0; i < 10; i++) await other.take(Note)
      await expect(fill()).rejects.toMatchObject(FULL)
      expect(written - before).toBeGreaterThanOrEqual(9)
      expect(written - before).toBeLessThanOrEqual(11)
      while (await other.takeIfExists(Note));
      await expect(fill()).rejects.toMatchObject(FULL)
      expect(written - before).toBeGreaterThan(66)
    })

    test('writes all or none, and a commit that is refused leaves nothing behind', async () => {
      const { other, bounded } = opened()
      const space = await bounded({ maxBytes: size * 10 })
      await expect(space.writeAll(Array.from({ length: 11 }, note))).rejects.toMatchObject(FULL)
      expect(await other.takeIfExists(Note)).toBeNull()
      const run = space.transact((tx) => void space.writeAll(Array.from({ length: 11 }, note), { tx }))
      await expect(run).rejects.toMatchObject(FULL)
      expect(await other.takeIfExists(Note)).toBeNull()
      await space.writeAll(Array.from({ length: 6 }, note))
      await space.transact(async (tx) => {
        for (let i = 0; i < 6; i++) await space.take(Note, { tx })
        void space.writeAll(Array.from({ length: 6 }, note), { tx })
      })
    })
  })

  test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '5', null])(
    'a bound of %p is refused',
    async (bound) => {
      const url = engine === 'memory' ? 'memory:' : 'redis://127.0.0.1:1'
      for (const name of ['maxEntries', 'maxBytes']) {
        await expect(openSpace(url, { [name]: bound })).rejects.toMatchObject({
          code: 'INVALID_ARGUMENT',
          message: expect.stringContaining(name),
        })
      }
    },
  )

  test('without bounds nothing is refused', async () => {
    const { space, bounded } = opened()
    await (await bounded({ maxEntries: 1, maxBytes: 1_000 })).write(Task({ id: 'first' }))
    await space.writeAll(tasks(100))
  })
})

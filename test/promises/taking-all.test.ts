/** What takeAll promises: it waits for the first match, then takes what is there; never more than it may, never one twice, none lost. */
import { expect, test } from '@jest/globals'
import { AnyEntry } from '../../src/entry.js'
import { everyEngine, testInOnePartition } from '../support/every-engine.js'
import { BigTask, Other, Task } from '../support/kinds.js'

const ids = (entries: readonly unknown[]): string[] => entries.map((entry) => (entry as { id: string }).id)

const tasks = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => Task({ id: String(from + i), type: 'x' }))

everyEngine('takeAll', (opened) => {
  testInOnePartition('what is there, the best first, up to max', async () => {
    const { space, other } = opened()
    await space.writeAll(tasks(0, 250))
    await space.write(Task({ id: 'urgent' }), { priority: 1 })
    const first = ids(await other.takeAll([Task]))
    expect(first).toEqual(['urgent', ...Array.from({ length: 99 }, (_, i) => String(i))])
    expect(ids(await other.takeAll([Task], { max: 1 }))).toEqual(['99'])
    expect(ids(await other.takeAll([Task], { max: 1_000 }))).toEqual(
      Array.from({ length: 150 }, (_, i) => String(100 + i)),
    )
    expect(await space.takeIfExists(AnyEntry)).toBeNull()
  })

  test('matches among many that are none, further down than one call of a search goes', async () => {
    const { space, other } = opened()
    const of = (n: number) => Task({ id: String(n), type: n % 3 === 0 ? 'x' : 'y', note: n < 500 ? 'a' : 'b' })
    await space.writeAll(Array.from({ length: 1_000 }, (_, n) => of(n)))
    const wanted = Task.template({ type: 'x', note: 'b' })
    const expected = Array.from({ length: 1_000 }, (_, n) => n).filter((n) => n % 3 === 0 && n >= 500)
    expect(ids(await other.takeAll([wanted], { max: 140 })).map(Number)).toEqual(expected.slice(0, 140))
    expect(ids(await other.takeAll([wanted], { max: 140 })).map(Number)).toEqual(expected.slice(140))
    expect(await other.takeAll([wanted], { waitMs: 0 })).toEqual([])
    expect(await space.takeAll([Task], { max: 2_000 })).toHaveLength(1_000 - expected.length)
  })

  testInOnePartition(
    'under a transaction all of them are back when it aborts, in their places, and gone when it commits',
    async () => {
      const { space, other } = opened()
      await space.writeAll(tasks(0, 300))
      const undone = await space.begin()
      expect(await space.takeAll([Task], { max: 200, tx: undone })).toHaveLength(200)
      expect(ids(await other.takeAll([Task], { max: 1 }))).toEqual(['200'])
      await undone.abort()
      const tx = await space.begin()
      await space.write(Task({ id: 'own' }), { tx })
      const all = ids(await space.takeAll([Task], { max: 1_000, tx }))
      expect(all).toEqual([...tasks(0, 300).map(({ id }) => id), 'own'].filter((id) => id !== '200'))
      await tx.commit()
      expect(await other.takeIfExists(Task)).toBeNull()
    },
  )

  test('at the end of the wait it is empty, not before', async () => {
    const { space } = opened()
    for (const templates of [[Task], [Task, Other]]) {
      expect(await space.takeAll(templates, { waitMs: 0 })).toEqual([])
      const from = performance.now()
      expect(await space.takeAll(templates, { waitMs: 60 })).toEqual([])
      expect(performance.now() - from).toBeGreaterThanOrEqual(60)
    }
    await space.write(Task({ id: 'later' }))
    expect(await space.takeIfExists(Task)).toEqual({ id: 'later' })
  })

  test('it waits for the first, of whichever template', async () => {
    const { space, other } = opened()
    const one = other.takeAll([Task.template({ type: 'x' })])
    await space.write(Task({ id: 'no' }))
    await space.write(Task({ id: 'yes', type: 'x' }))
    expect(await one).toEqual([{ id: 'yes', type: 'x' }])
    const two = other.takeAll([Other, Task.template({ type: 'y' }), BigTask], { waitMs: 20_000 })
    await space.write(Task({ id: 'yes', type: 'y' }))
    expect(await two).toEqual([{ id: 'yes', type: 'y' }])
    expect(await space.take(AnyEntry)).toEqual({ id: 'no' })
    expect(await space.takeIfExists(AnyEntry)).toBeNull()
  })

  test('an entry that matches two templates is taken once; max holds over all of them', async () => {
    const { space } = opened()
    await space.writeAll([...tasks(0, 3), Other({ id: 'o' }), BigTask({ id: 'b', shards: 1 }), Task({ id: 'p' })])
    const templates = [Task.template({ type: 'x' }), Task, Task, AnyEntry] as const
    expect(ids(await space.takeAll(templates, { max: 4 }))).toEqual(['0', '1', '2', 'b'])
    expect(ids(await space.takeAll(templates, { max: 4 }))).toEqual(['p', 'o'])
  })

  test('it waits for what a transaction has read to be free, and takes under one', async () => {
    const { space, other } = opened()
    await space.write(Task({ id: 'a' }))
    const reader = await space.begin()
    await space.read(Task, { tx: reader })
    const waiting = other.takeAll([Task, Other])
    for (let i = 0; i < 3; i++) expect(await space.readIfExists(Task)).toEqual({ id: 'a' })
    await reader.commit()
    expect(await waiting).toEqual([{ id: 'a' }])
    const tx = await other.begin()
    const under = other.takeAll([Task, Other], { tx })
    await space.writeAll([Other({ id: 'b' }), Task({ id: 'c' })])
    expect((await under).length).toBeGreaterThan(0)
    const ended = other.takeAll([Task.template({ id: 'x' }), Other.template({ id: 'x' })], { tx })
    await Promise.all([expect(ended).rejects.toMatchObject({ code: 'TRANSACTION_ENDED' }), tx.abort()])
    expect(await space.takeAll([Task, Other], { waitMs: 0 })).toEqual([{ id: 'c' }, { id: 'b' }])
  })

  test('a signal ends the wait with its reason, and nothing is lost', async () => {
    const { space } = opened()
    for (const templates of [[Task], [Task, Other]]) {
      const controller = new AbortController()
      const waiting = space.takeAll(templates, { signal: controller.signal })
      controller.abort(new Error('enough'))
      await expect(waiting).rejects.toThrow('enough')
      await expect(space.takeAll(templates, { signal: controller.signal })).rejects.toThrow('enough')
      await space.write(Task({ id: 'kept' }))
      expect(await space.takeIfExists(Task)).toEqual({ id: 'kept' })
    }
  })

  test('many who take all at once get each entry once', async () => {
    const { space, other } = opened()
    const total = 300
    const got: string[] = []
    let writing = true
    const taking = Array.from({ length: 6 }, async (_, i) => {
      const templates = i % 3 ? [Task.template({ type: 'x' }), Other] : [Task]
      for (;;) {
        const entries = await (i % 2 ? space : other).takeAll(templates, { max: 1 + i * 3, waitMs: 200 })
        expect(entries.length).toBeLessThanOrEqual(1 + i * 3)
        got.push(...ids(entries))
        if (entries.length === 0 && !writing) return
      }
    })
    for (let n = 0; n < total; n += 10) await space.writeAll(tasks(n, n + 10))
    writing = false
    await Promise.all(taking)
    const number = (a: string, b: string) => Number(a) - Number(b)
    expect(got.sort(number)).toEqual(Array.from({ length: total }, (_, i) => String(i)))
  })

  test('what is no template, no number or no wait is refused, and nothing is taken', async () => {
    const { space } = opened()
    await space.write(Task({ id: 'x' }))
    const refused = { code: 'INVALID_ARGUMENT' }
    for (const templates of [[], null, Task, [Task, {}], [Task, null]]) {
      await expect(space.takeAll(templates as never)).rejects.toMatchObject(refused)
    }
    for (const max of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '5']) {
      await expect(space.takeAll([Task], { max: max as number })).rejects.toMatchObject(refused)
    }
    await expect(space.takeAll([Task], { signal: 5 as never })).rejects.toMatchObject(refused)
    expect(await space.takeAll([Task], { waitMs: 0 })).toEqual([{ id: 'x' }])
  })

  test('close ends the wait', async () => {
    const { space } = opened()
    const ends = [[Task], [Task, Other]].map((templates) =>
      expect(space.takeAll(templates)).rejects.toMatchObject({ code: 'SPACE_CLOSED' }),
    )
    await space.readIfExists(Task)
    await space.close()
    await Promise.all(ends)
  })
})

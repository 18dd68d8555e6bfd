/** readAll: it waits for the first match, then returns what is there, which stays; never more than it may, never one twice. */
import { expect, test } from '@jest/globals'
import { AnyEntry } from '../../src/entry.js'
import { everyEngine, testInOnePartition } from '../support/every-engine.js'
import { BigTask, Other, Task } from '../support/kinds.js'

const ids = (entries: readonly unknown[]): string[] => entries.map((entry) => (entry as { id: string }).id)

everyEngine('readAll', (opened) => {
  testInOnePartition('what is there, the best first, up to max, and it stays', async () => {
    const { space, other } = opened()
    await space.writeAll(Array.from({ length: 250 }, (_, i) => Task({ id: String(i), type: 'x' })))
    await space.write(Task({ id: 'urgent' }), { priority: 1 })
    const expected = ['urgent', ...Array.from({ length: 250 }, (_, i) => String(i))]
    expect(ids(await other.readAll([Task]))).toEqual(expected.slice(0, 100))
    expect(ids(await other.readAll([Task], { max: 1 }))).toEqual(['urgent'])
    expect(ids(await other.readAll([Task], { max: 1_000 }))).toEqual(expected)
    expect(ids(await other.takeAll([Task], { max: 1_000 }))).toEqual(expected)
  })

  test('an entry that matches two templates comes once; max holds over all of them; AnyEntry by kind', async () => {
    const { space } = opened()
    await space.writeAll([Task({ id: 't', type: 'x' }), Other({ id: 'o' })])
    await space.writeAll([BigTask({ id: 'b', shards: 1 })])
    const templates = [Task.template({ type: 'x' }), BigTask, Task, AnyEntry] as const
    expect(ids(await space.readAll(templates))).toEqual(['t', 'b', 'o'])
    expect(ids(await space.readAll(templates, { max: 2 }))).toEqual(['t', 'b'])
    expect(ids(await space.readAll([AnyEntry])).toSorted()).toEqual(['b', 'o', 't'])
    expect(ids(await space.readAll([AnyEntry]))[0]).toBe('o')
  })

  test('it waits for the first, of whichever template; at the end of the wait it is empty, not before', async () => {
    const { space, other } = opened()
    expect(await space.readAll([Task, Other], { waitMs: 0 })).toEqual([])
    const from = performance.now()
    expect(await space.readAll([Task], { waitMs: 60 })).toEqual([])
    expect(performance.now() - from).toBeGreaterThanOrEqual(60)
    const readers = [
      other.readAll([Other, Task.template({ type: 'x' })]),
      space.readAll([Task.template({ type: 'x' })]),
    ]
    await space.write(Task({ id: 'no' }))
    await space.write(Task({ id: 'yes', type: 'x' }))
    for (const reader of readers) expect(await reader).toEqual([{ id: 'yes', type: 'x' }])
    expect(await space.takeAll([Task], { waitMs: 0 })).toHaveLength(2)
  })

  test('it waits for what another has taken to be back, and not for what another has read', async () => {
    const { space, other } = opened()
    await space.write(Task({ id: 'a' }))
    const tx = await space.begin()
    await space.read(Task, { tx })
    expect(await other.readAll([Task])).toEqual([{ id: 'a' }])
    await space.take(Task, { tx })
    const waiting = other.readAll([Task, Other])
    for (let i = 0; i < 3; i++) expect(await other.readIfExists(Task)).toBeNull()
    await tx.abort()
    expect(await waiting).toEqual([{ id: 'a' }])
  })

  test('under a transaction others cannot take what it returns, and it sees what was written under it', async () => {
    const { space, other } = opened()
    const tx = await space.begin({ span: 'all' })
    await other.writeAll([Task({ id: 'a' }), Task({ id: 'b' })])
    await space.write(Other({ id: 'own' }), { tx })
    expect(ids(await space.readAll([Task, Other], { tx })).toSorted()).toEqual(['a', 'b', 'own'])
    expect(await other.takeAll([Task, Other], { waitMs: 0 })).toEqual([])
    const waiting = space.readAll([Task.template({ id: 'x' }), Other.template({ id: 'x' })], { tx })
    await Promise.all([expect(waiting).rejects.toMatchObject({ code: 'TRANSACTION_ENDED' }), tx.abort()])
    expect(await other.takeAll([Task, Other], { waitMs: 0 })).toHaveLength(2)
  })

  test('a signal ends the wait with its reason, close with SPACE_CLOSED, and bad arguments are refused', async () => {
    const { space } = opened()
    const controller = new AbortController()
    const waiting = space.readAll([Task, Other], { signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    await expect(space.readAll([Task], { signal: controller.signal })).rejects.toThrow('enough')
    const refused = { code: 'INVALID_ARGUMENT' }
    for (const templates of [[], null, Task, [Task, {}], [Task, null]]) {
      await expect(space.readAll(templates as never)).rejects.toMatchObject(refused)
    }
    for (const max of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '5']) {
      await expect(space.readAll([Task], { max: max as number })).rejects.toMatchObject(refused)
    }
    await expect(space.readAll([Task], { waitMs: -1 })).rejects.toMatchObject(refused)
    const closed = expect(space.readAll([Task])).rejects.toMatchObject({ code: 'SPACE_CLOSED' })
    await space.close()
    await closed
  })
})

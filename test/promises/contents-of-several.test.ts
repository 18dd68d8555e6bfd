/** contents of several templates and of AnyEntry: each entry once; parts of entries; the removal of what is yielded. */
import { expect, test } from '@jest/globals'
import { gt, lte, oneOf } from '../../src/entry/conditions.js'
import { AnyEntry, defineEntry, entryInfo } from '../../src/entry.js'
import { sendRequest } from '../../src/request.js'
import type { Space } from '../../src/space.js'
import { everyEngine, testInOnePartition } from '../support/every-engine.js'
import { BigTask, Other, Task } from '../support/kinds.js'
import { until } from '../support/until.js'

const Labelled = defineEntry<{ id: string; remove?: string }>('Labelled')

const REQUEST_OF_WEB = {
  ...{ method: 'GET', target: '/', httpVersion: '1.1', headers: [], body: Buffer.alloc(0) },
  ...{ peer: '127.0.0.1', secure: false },
}

const idsOf = async (entries: AsyncIterable<unknown>): Promise<string[]> => {
  const found: string[] = []
  for await (const entry of entries) found.push((entry as { id: string }).id)
  return found
}

/** 240 tasks: 120 of size 0 to 119 of type x, as many of type y, some long notes among them. */
async function fill(space: Space): Promise<void> {
  const note = (i: number) => (i % 40 === 0 ? { note: `${i} ${'n'.repeat(80)}` } : {})
  await space.writeAll(
    Array.from({ length: 240 }, (_, i) => Task({ id: `t${i}`, type: i < 120 ? 'x' : 'y', size: i % 120, ...note(i) })),
  )
}

everyEngine('contents of several', (opened) => {
  testInOnePartition('by template, each the best first; what two of them match comes with the first', async () => {
    const { space, other } = opened()
    await fill(other)
    await other.write(BigTask({ id: 'big', type: 'y', shards: 1 }), { priority: 9 })
    await other.write(Other({ id: 'o' }))
    const templates = [Task.template({ size: gt(110) }), BigTask, Other, Task.template({ type: 'y' }), Task]
    const found = await idsOf(space.contents(templates))
    const numbers = Array.from({ length: 240 }, (_, i) => i)
    const named = (some: number[]): string[] => some.map((i) => `t${i}`)
    expect(found).toEqual([
      ...named(numbers.filter((i) => i % 120 > 110)),
      'big',
      'o',
      ...named(numbers.filter((i) => i >= 120 && i % 120 <= 110)),
      ...named(numbers.filter((i) => i <= 110)),
    ])
    expect(await idsOf(space.contents(templates, { max: 20 }))).toEqual(found.slice(0, 20))
  })

  test('each once, whatever the templates have in common: values, hashes, kinds, conditions', async () => {
    const { space, other } = opened()
    await fill(other)
    await other.writeAll([BigTask({ id: 'big', type: 'x', shards: 1 }), Other({ id: 'o' })])
    const note = `40 ${'n'.repeat(80)}`
    const asked = [
      [Task.template({ type: oneOf('x', 'z') }), Task.template({ size: lte(75) })],
      [Task.template({ note }), Task.template({ note: gt('1') }), BigTask],
      [AnyEntry.template({ id: 'big' }), Task, AnyEntry],
      [AnyEntry, Task, Other.template({ id: 'o' })],
    ]
    for (const templates of asked) {
      const expected = new Set<string>()
      for (const template of templates) for (const id of await idsOf(space.contents(template))) expected.add(id)
      expect((await idsOf(space.contents(templates))).sort()).toEqual([...expected].sort())
    }
  })

  test('AnyEntry yields all that can be read of every kind, and nothing of the framework', async () => {
    const { space, other } = opened()
    expect(await idsOf(space.contents(AnyEntry))).toEqual([])
    await other.writeAll([BigTask({ id: 'b', shards: 1 }), Other({ id: 'o' }), Task({ id: 't' })])
    const sent = sendRequest(other, REQUEST_OF_WEB, {
      service: 'web',
      timeoutMs: 20_000,
      repeatable: true,
      priority: 0,
    })
    await until(async () => (await space.engine.kinds()).get('takespace.Request') === 1, 'the request waits')
    const tx = await other.begin({ span: 'all' })
    await other.read(Other, { tx })
    await other.write(Labelled({ id: 'own' }), { tx })
    expect((await idsOf(space.contents(AnyEntry))).sort()).toEqual(['b', 'o', 't'])
    expect((await idsOf(other.contents(AnyEntry, { tx }))).sort()).toEqual(['b', 'o', 'own', 't'])
    expect(await idsOf(space.contents(AnyEntry.template({ id: 't' })))).toEqual(['t'])
    await tx.commit()
    expect(await idsOf(space.contents(AnyEntry, { max: 2 }))).toHaveLength(2)
    sent.withdraw()
  })

  test('fields: these alone, of entries that conform; the space is asked for what the part does not have', async () => {
    const { space, other } = opened()
    await other.write(Task({ id: 'a', type: 'x', size: 3 }), { priority: 2 })
    await other.write(Task({ id: 'b', type: 'x' }))
    const parts: object[] = []
    for await (const part of space.contents(Task, { fields: ['id', 'size'] })) {
      parts.push(part)
      expect(entryInfo(part)).toMatchObject({ kind: 'Task', priority: part.id === 'a' ? 2 : 0 })
    }
    expect(parts).toEqual([{ id: 'a', size: 3 }, { id: 'b' }])
    expect(parts.map((part) => Object.keys(part))).toEqual([['id', 'size'], ['id']])
    const [part] = parts
    expect([Task.is(part), AnyEntry.is(part)]).toEqual([false, false])
    await expect(space.write(part as never)).rejects.toMatchObject({ code: 'INVALID_ENTRY' })
    for await (const part of space.contents([Other, Task.template({ id: 'a' })], { fields: ['size'] })) {
      expect(part).toEqual({ size: 3 })
      expect(await part.remove()).toBe(true)
    }
    expect(await idsOf(space.contents(Task))).toEqual(['b'])
  })

  test('remove takes an entry out of the space, and tells whether it was there', async () => {
    const { space, other } = opened()
    await fill(other)
    let removed = 0
    for await (const task of space.contents(Task.template({ type: 'x' }))) removed += Number(await task.remove())
    expect(removed).toBe(120)
    expect(await space.count(Task)).toBe(120)
    const contents = space.contents([Task, Other])
    const { value: first } = await contents.next()
    await other.take(Task.template({ id: (first as { id: string }).id }))
    expect(await contents.remove(first as never)).toBe(false)
    expect(await space.count(Task)).toBe(119)
    await expect(contents.remove({} as never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  test('remove is no field: not in JSON, names or copies; an entry with a field of this name keeps it', async () => {
    const { space, other } = opened()
    await other.write(Labelled({ id: 'a', remove: 'mine' }))
    await other.write(Labelled({ id: 'b' }))
    const contents = space.contents(Labelled)
    const entries = [(await contents.next()).value!, (await contents.next()).value!]
    for (const entry of entries) {
      const expected = entry.id === 'a' ? { id: 'a', remove: 'mine' } : { id: 'b' }
      expect(JSON.parse(JSON.stringify(entry))).toEqual(expected)
      expect(Object.keys(entry)).toEqual(Object.keys(expected))
      expect(Object.keys({ ...entry })).toEqual(Object.keys(expected))
      expect(structuredClone(entry)).toEqual(expected)
      // Written back it is what it was.
      await space.write(entry, { priority: 1 })
      expect(await contents.remove(entry)).toBe(true)
    }
    const again = (await space.takeAll([Labelled])).toSorted((a, b) => (a.id < b.id ? -1 : 1))
    expect(again.map((entry) => ({ ...entry }))).toEqual([{ id: 'a', remove: 'mine' }, { id: 'b' }])
  })

  test('under a transaction nothing is removed past it', async () => {
    const { space } = opened()
    await space.write(Task({ id: 'a' }))
    const tx = await space.begin()
    for await (const task of space.contents(Task, { tx })) {
      await expect(task.remove()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
    await tx.commit()
    expect(await space.count(Task)).toBe(1)
  })
})

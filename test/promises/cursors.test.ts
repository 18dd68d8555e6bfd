/** Cursors of contents: another process goes on behind what was yielded last; what is no cursor is refused. */
import { expect, test } from '@jest/globals'
import { gt } from '../../src/entry/conditions.js'
import { ordered } from '../../src/entry/ordered.js'
import { templateOf } from '../../src/entry/template.js'
import { AnyEntry, defineEntry, type Matching } from '../../src/entry.js'
import type { Contents } from '../../src/space/contents.js'
import { cursorOf } from '../../src/space/cursor.js'
import { everyEngine } from '../support/every-engine.js'
import { BigTask, Other, Task } from '../support/kinds.js'

const Due = defineEntry<{ id: string; due: number | string }>('Due', { index: ['id', ordered('due')] })

const idsOf = async (entries: AsyncIterable<unknown>): Promise<string[]> => {
  const found: string[] = []
  for await (const entry of entries) found.push((entry as { id: string }).id)
  return found
}

/** Reads so many, with a new iteration after each of them, in turn by one process and the other, and with what it has. */
async function inSteps(
  open: (turn: number, after: string | undefined) => Contents<object>,
  size: number,
): Promise<{ ids: string[]; cursors: string[] }> {
  const ids: string[] = []
  const cursors: string[] = []
  for (let turn = 0, after: string | undefined; ; turn++) {
    const contents = open(turn, after)
    for (let i = 0; i < size; i++) {
      const { value } = await contents.next()
      if (value === undefined) break
      ids.push((value as { id: string }).id)
    }
    await contents.return()
    const { cursor } = contents
    if (cursor === null) return { ids, cursors }
    after = cursor
    cursors.push(cursor)
  }
}

everyEngine('cursors', (opened) => {
  test('another process goes on where one has stopped, within a page too: nothing is missed, nothing comes twice', async () => {
    const { space, other } = opened()
    const tasks = Array.from({ length: 120 }, (_, i) => Task({ id: `t${i}`, type: i % 2 ? 'x' : 'y', size: i }))
    await space.writeAll(tasks)
    await space.writeAll([Other({ id: 'o1' }), BigTask({ id: 'b', type: 'x', shards: 1 }), Other({ id: 'o2' })])
    for (const templates of [[Task], [AnyEntry], [Task.template({ size: gt(80) }), Other, Task]]) {
      const all = await idsOf(space.contents(templates))
      for (const size of templates.length > 1 ? [13] : [17, 100]) {
        const open = (turn: number, after?: string) => (turn % 2 ? space : other).contents(templates, { after })
        const { ids, cursors } = await inSteps(open, size)
        expect(ids.toSorted()).toEqual(all.toSorted())
        expect(cursors.every((cursor) => /^[\w-]{16,600}$/.test(cursor))).toBe(true)
      }
    }
    const one = (turn: number, after?: string) =>
      (turn % 2 ? space : other).contents([BigTask, Other], { after, max: 1 })
    expect((await inSteps(one, 1)).ids.toSorted()).toEqual(['b', 'o1', 'o2'])
  })

  test('what was yielded may be removed, and others may write meanwhile', async () => {
    const { space, other } = opened()
    await space.writeAll(Array.from({ length: 150 }, (_, i) => Task({ id: `t${i}` })))
    const left: string[] = []
    let written = 0
    for (let after: string | undefined; ; ) {
      const contents = other.contents(Task, { max: 30, ...(after ? { after } : {}) })
      for await (const task of contents) {
        if (task.id.startsWith('t')) left.push(task.id)
        await task.remove()
        if (left.length % 25 === 0) await space.write(Task({ id: `new${written++}` }), { priority: 1 })
      }
      if (contents.cursor === null) break
      after = contents.cursor
    }
    expect(new Set(left).size).toBe(left.length)
    expect(left).toHaveLength(150)
  })

  test('in the order of a field: numbers and texts of any characters', async () => {
    const { space, other } = opened()
    const texts = Array.from({ length: 60 }, (_, i) => `\t${String.fromCodePoint(i * 89 + 1)}\n\u0000${i}`)
    await space.writeAll(texts.map((due, i) => Due({ id: `s${i}`, due })))
    await space.writeAll(texts.map((_, i) => Due({ id: `n${i}`, due: ((i * 37) % 60) - 30.5 })))
    const templates: Matching<{ id: string }>[] = [Due.template({ due: gt('') }), Due.template({ due: gt(-1_000) })]
    for (const template of templates) {
      const all = await idsOf(space.contents(template))
      expect(all).toHaveLength(60)
      const open = (turn: number, after?: string) => (turn % 2 ? space : other).contents(template, { after })
      expect((await inSteps(open, 23)).ids.toSorted()).toEqual(all.toSorted())
    }
  })

  test('it is null when all has been yielded; before the first entry it is where the iteration begins', async () => {
    const { space } = opened()
    await space.writeAll([Task({ id: 'a' }), Task({ id: 'b' })])
    const whole = space.contents(Task)
    const beginning = whole.cursor as string
    expect(await idsOf(space.contents(Task, { after: beginning }))).toHaveLength(2)
    for await (const { id } of whole) expect([id, whole.cursor]).not.toContain(beginning)
    expect(whole.cursor).toBeNull()
    const one = space.contents(Task, { max: 1 })
    expect(await idsOf(one)).toHaveLength(1)
    const rest = space.contents(Task, { max: 5, after: one.cursor as string })
    expect(rest.cursor).toBe(one.cursor)
    expect([(await idsOf(rest)).length, rest.cursor]).toEqual([1, null])
  })

  test('it is kept under a transaction, which locks what it yields', async () => {
    const { space, other } = opened()
    await other.writeAll(Array.from({ length: 5 }, (_, i) => Task({ id: `t${i}` })))
    const first = space.contents(Task, { max: 2 })
    expect(await idsOf(first)).toHaveLength(2)
    const tx = await space.begin({ span: 'all' })
    expect(await idsOf(space.contents(Task, { after: first.cursor as string, tx }))).toHaveLength(3)
    expect(await other.takeAll([Task], { waitMs: 0 })).toHaveLength(2)
    await tx.abort()
    expect(await other.takeAll([Task], { waitMs: 0 })).toHaveLength(3)
  })

  test('what is no cursor, of other templates, changed, or of another space, is refused, and nothing is yielded', async () => {
    const { space } = opened()
    await space.writeAll([Task({ id: 'a' }), Task({ id: 'b' })])
    const refused = async (after: unknown, templates: readonly (typeof Task | typeof Other)[] = [Task]) => {
      const contents = space.contents(templates, { after: after as string })
      await expect(contents.next()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
    const contents = space.contents(Task)
    await contents.next()
    const cursor = contents.cursor as string
    const changed = Array.from(cursor, (c, i) => `${cursor.slice(0, i)}${c === 'A' ? 'B' : 'A'}${cursor.slice(i + 1)}`)
    for (const after of [
      ...changed,
      '',
      'x',
      5,
      null,
      {},
      [cursor],
      `${cursor}A`,
      cursor.slice(1),
      'A'.repeat(300_000),
    ])
      await refused(after)
    await refused(cursor, [Other])
    await refused(cursor, [Task, Other])
    // Their checks are right: what is in them is not.
    const encoded = [templateOf(Task).encoded]
    const places = [
      'x',
      '12',
      '-inf',
      '(5',
      '\u0130inf',
      '9'.repeat(5_000),
      'n',
      '[0]',
      '[0,"x","x","x"]',
      '[0,1,2,3]',
      '[',
    ]
    for (const after of places) await refused(cursorOf({ template: 0, kind: null, after }, encoded))
    for (const template of [-1, 1, 0.5, '0', null])
      await refused(cursorOf({ template: template as number, kind: null, after: null }, encoded))
    await refused(cursorOf({ template: 0, kind: 5 as never, after: null }, encoded))
    await refused(cursorOf({ template: 0, kind: null, after: {} as never }, encoded))
    // Nothing has come of it: the space still answers.
    expect(await space.takeAll([Task], { waitMs: 0 })).toHaveLength(2)
  })
})

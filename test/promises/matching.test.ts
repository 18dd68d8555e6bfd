/** What matching promises: the kind or one that it extends, and every field that the template names, by value. */
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { Ordered } from '../../src/entry/ordered.js'
import { AnyEntry, defineEntry, entryInfo } from '../../src/entry.js'
import { everyEngine, testInOnePartition } from '../support/every-engine.js'
import { BigTask, Other, Task } from '../support/kinds.js'

const Loose = defineEntry<Record<string, unknown>>('Loose | = : {x} \n ünïcode')

everyEngine('matching', (opened) => {
  test('a template matches its kind and those that extend it, never the kind it extends', async () => {
    const { space } = opened()
    await space.write(BigTask({ id: 'big', shards: 4 }))
    await space.write(Task({ id: 'plain' }))
    expect(await space.readIfExists(Task.template({ id: 'big' }))).toEqual({ id: 'big', shards: 4 })
    expect(await space.readIfExists(BigTask.template({ id: 'plain' }))).toBeNull()
    expect(await space.readIfExists(BigTask.template({ shards: 4 }))).toEqual({ id: 'big', shards: 4 })
    expect(await space.readIfExists(Other)).toBeNull()
  })

  test('any subset of fields may be named; undefined is the wildcard, null a value', async () => {
    const { space } = opened()
    await space.write(Task({ id: '1', type: 'a', size: 1, note: null }))
    await space.write(Task({ id: '2', type: 'a', size: 2 }))
    expect(await space.readIfExists(Task.template({ type: 'a', size: 2 }))).toMatchObject({ id: '2' })
    expect(await space.readIfExists(Task.template({ type: undefined, size: 2 }))).toMatchObject({ id: '2' })
    expect(await space.readIfExists(Task.template({ note: null }))).toMatchObject({ id: '1' })
    expect(await space.readIfExists(Task.template({ type: 'a', size: 3 }))).toBeNull()
    expect(await space.readIfExists(Task.template({}))).toMatchObject({ id: '1' })
  })

  test('equality is SameValueZero on values: a number is not its text, zero has no sign, structures are equal by content', async () => {
    const { space } = opened()
    const when = new Date(86_400_000)
    await space.write(
      Loose({
        n: -0,
        s: '1',
        list: [1, { b: 2, a: 1 }],
        bytes: new Uint8Array([1, 2]),
        when,
        big: 12345678901234567890n,
      }),
    )
    for (const fields of [
      { n: 0 },
      { s: '1' },
      { list: [1, { a: 1, b: 2 }] },
      { bytes: new Uint8Array([1, 2]) },
      { when: new Date(when) },
      { big: 12345678901234567890n },
    ]) {
      expect(await space.readIfExists(Loose.template(fields))).not.toBeNull()
    }
    for (const fields of [
      { s: 1 },
      { list: [{ a: 1, b: 2 }, 1] },
      { bytes: new Uint8Array([2, 1]) },
      { when: when.getTime() },
      { big: 1n },
      { n: null },
    ]) {
      expect(await space.readIfExists(Loose.template(fields))).toBeNull()
    }
    const entry = await space.take(Loose)
    expect(entry).toEqual({
      n: 0,
      s: '1',
      list: [1, { b: 2, a: 1 }],
      bytes: new Uint8Array([1, 2]),
      when,
      big: 12345678901234567890n,
    })
  })

  test('names and values that could steer a key, a record or a prototype are data', async () => {
    const { space, other } = opened()
    const fields = JSON.parse(
      '{"__proto__":{"polluted":1},"constructor":"c","a|b=c":"|;|","{x}:y*":"%7c","@k":"\\n\\t","n,m":"=", "$date": 5}',
    )
    await space.write(Loose(fields))
    for (const name of Object.keys(fields)) {
      const one = Object.defineProperty({}, name, { value: fields[name], enumerable: true })
      expect(await other.readIfExists(Loose.template(one))).not.toBeNull()
    }
    expect(entryInfo(await other.read(Loose)).kind).toBe(Loose.kind)
    const waiting = other.take(Loose.template({ 'n,m': '=', '{x}:y*': '%7c', id: 'late' }))
    await space.write(Loose({ ...fields, id: 'late' }))
    expect(Object.keys(await waiting)).toEqual([...Object.keys(fields), 'id'])
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })

  test('kinds that index differently are found by each other’s fields', async () => {
    const { space, other } = opened()
    const Parent = defineEntry<{ id: string; group?: string; tags?: string[] }>('Parent')
    const Child = Parent.extend<{ extra: string }>('Child', { index: ['extra'] })
    const Listed = defineEntry<{ id: string; tags: string[] }>('Listed', { index: ['tags'] })
    await space.write(Parent({ id: 'p', group: 'g' }))
    await other.write(Child({ id: 'c', extra: 'e', group: 'h' }))
    await other.write(Listed({ id: 'l', tags: ['a'] }))
    expect(await other.readIfExists(Parent.template({ id: 'p' }))).toMatchObject({ id: 'p' })
    expect(await space.readIfExists(Parent.template({ id: 'c', group: 'h' }))).toMatchObject({ id: 'c' })
    expect(await space.readIfExists(Child.template({ extra: 'e' }))).toMatchObject({ id: 'c' })
    expect(await space.readIfExists(Listed.template({ tags: ['a'] }))).toMatchObject({ id: 'l' })
    expect(await space.readIfExists(AnyEntry.template({ id: 'l' }))).toMatchObject({ id: 'l' })
    expect(await space.take(AnyEntry.template({ extra: 'e' }), { waitMs: 0 })).toMatchObject({ id: 'c' })
  })

  testInOnePartition(
    'fields that are indexed together find what they hold, whoever wrote it and however it was declared',
    async () => {
      const { space, other } = opened()
      type Order = { id: string; customer?: string | null; state?: unknown; note?: string }
      const Plain = defineEntry<Order>('Order')
      const Listed = defineEntry<Order>('Order', { index: ['id'] })
      const Together = defineEntry<Order>('Order', { index: ['id', ['customer', 'state']] })
      const Reversed = defineEntry<Order>('Order', { index: [['state', 'customer'], 'id'] })
      const Urgent = Together.extend<{ by: Date }>('Urgent', { index: [['by', 'customer']] })
      const by = new Date(86_400_000)
      const both = { customer: 'c', state: [1, 'open'] }
      const ids = async (): Promise<unknown[]> => {
        const templates = [Together, Reversed, Listed, Plain].map((kind) => kind.template(both))
        const found = await Promise.all(templates.map((template) => other.readIfExists(template)))
        return found.map((entry) => entry?.id)
      }
      await space.write(Together({ id: 'half', customer: 'c' }))
      await space.write(Together({ id: 'null', customer: null, state: 'open' }))
      expect(await ids()).toEqual([undefined, undefined, undefined, undefined])
      expect(await space.readIfExists(Reversed.template({ customer: null, state: 'open' }))).toMatchObject({
        id: 'null',
      })
      await space.write(Reversed({ id: 'reversed', ...both, note: 'n' }))
      await space.write(Urgent({ id: 'urgent', ...both, by }))
      expect(await ids()).toEqual(['reversed', 'reversed', 'reversed', 'reversed'])
      expect(await other.readIfExists(Together.template({ ...both, note: 'm' }))).toBeNull()
      expect(await other.readIfExists(Together.template({ ...both, id: 'urgent' }))).toMatchObject({ by })
      expect(await other.readIfExists(Urgent.template({ customer: 'c', by }))).toMatchObject({ id: 'urgent' })
      const waiting = other.take(Together.template({ customer: 'late', state: 'open' }))
      await other.readIfExists(Together)
      // From here on it is not what everybody indexes.
      await space.write(Listed({ id: 'listed', customer: 'late', state: 'open' }))
      expect(await waiting).toMatchObject({ id: 'listed' })
      await space.write(Plain({ id: 'plain', customer: 'p', state: 'open' }))
      expect(await other.readIfExists(Together.template({ customer: 'p', state: 'open' }))).toMatchObject({
        id: 'plain',
      })
      expect(await ids()).toEqual(['reversed', 'reversed', 'reversed', 'reversed'])
      expect(await space.take(Reversed.template(both))).toMatchObject({ id: 'reversed' })
      expect(await ids()).toEqual(['urgent', 'urgent', 'urgent', 'urgent'])
    },
  )

  test.each([
    [[['id']]],
    [[['id', 'id']]],
    [[['id', 7]]],
    [[[]]],
    [[new Ordered(7 as never)]],
    ['id'],
    [[{ 0: 'id', 1: 'type' }]],
  ])('an index over %j is refused', (index) => {
    expect(() => defineEntry('Refused', { index: index as never })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    )
  })

  test('a waiting template of any shape is found, however many shapes wait', async () => {
    const { space, other } = opened()
    const fields = ['a', 'b', 'c', 'd', 'e', 'f']
    const waits: Promise<unknown>[] = []
    for (let i = 1; i < 64; i++) {
      const template: Record<string, unknown> = { key: i }
      fields.forEach((field, bit) => {
        if (i & (1 << bit)) template[field] = bit
      })
      waits.push(other.take(Loose.template(template), { waitMs: 20_000 }))
    }
    await other.readIfExists(Loose)
    const all = Object.fromEntries(fields.map((field, bit) => [field, bit]))
    for (let i = 1; i < 64; i++) await space.write(Loose({ ...all, key: i }))
    expect((await Promise.all(waits)).map((entry) => (entry as { key: number }).key)).toEqual(
      Array.from({ length: 63 }, (_, i) => i + 1),
    )
    expect(await space.readIfExists(Loose)).toBeNull()
  })

  test('a match is found behind any number of others that share its field', async () => {
    const { space } = opened()
    await space.writeAll(Array.from({ length: 700 }, (_, i) => Loose({ group: 'g', tags: [i] })))
    expect(await space.takeIfExists(Loose.template({ group: 'g', tags: [650] }))).toEqual({ group: 'g', tags: [650] })
    expect(await space.take(Loose.template({ group: 'g', tags: [699] }), { waitMs: 5_000 })).toEqual({
      group: 'g',
      tags: [699],
    })
    expect(await space.takeIfExists(Loose.template({ group: 'g', tags: [650] }))).toBeNull()
  })

  test('what a template finds is what plain comparison finds', async () => {
    const { space } = opened()
    const value = fc.constantFrom<unknown>(0, 1, '0', 'x', null, true, [0], { a: 1 })
    const entry = fc.record({ a: value, b: value, c: value }, { requiredKeys: [] })
    let round = 0
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { maxLength: 6 }), entry, async (entries, template) => {
        const key = `round${++round}`
        // Together, so that one is the oldest in several partitions, too.
        if (entries.length > 0) await space.writeAll(entries.map((fields, i) => Loose({ ...fields, key, i })))
        const expected = entries.findIndex((fields) =>
          Object.entries(template).every(
            ([name, v]) => JSON.stringify((fields as Record<string, unknown>)[name]) === JSON.stringify(v),
          ),
        )
        const found = await space.takeIfExists(Loose.template({ ...template, key }))
        expect(found ? found.i : -1).toBe(expected)
      }),
      { numRuns: 60 },
    )
  })
})

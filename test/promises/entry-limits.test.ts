/** Limits of entries: too much of anything is refused before work is done on it, in writing and in reading. */
import { expect, test } from '@jest/globals'
import { decodeFields, encodeFields } from '../../src/entry/codec.js'
import { LARGEST_ENTRY, MOST_FIELDS, MOST_NAMES, MOST_PARTS } from '../../src/entry/limits.js'
import { AnyEntry, defineEntry } from '../../src/index.js'
import { everyEngine } from '../support/every-engine.js'

const Loose = defineEntry('Loose')

/** An object that counts the reads of its fields. */
function counted(fields: object): { readonly fields: object; readonly reads: () => number } {
  let reads = 0
  const get = (target: object, name: string | symbol): unknown => {
    if (typeof name === 'string') reads++
    return Reflect.get(target, name)
  }
  return { fields: new Proxy(fields, { get }), reads: () => reads }
}

const many = (n: number, item: unknown = 1): Record<string, unknown> =>
  Object.fromEntries(Array.from({ length: n }, (_, i) => [`f${i}`, item]))

/** As small as can be, and as large as 2 to this power when it is written out. */
function shared(levels: number, wrap: (inner: unknown) => object): object {
  let value: unknown = 1
  for (let level = 0; level < levels; level++) value = wrap(value)
  return value as object
}

const refused = (text: RegExp) =>
  expect.objectContaining({ code: 'INVALID_ENTRY', message: expect.stringMatching(text) })

test('an object of too many names is refused before one of its fields is read', () => {
  for (const make of [Loose, Loose.template, AnyEntry.template] as ((fields: object) => unknown)[]) {
    const { fields, reads } = counted(many(20_000))
    expect(() => make(fields)).toThrow(refused(/20000 fields, more than 1000/))
    expect(reads()).toBe(0)
  }
  const nested = counted(many(MOST_NAMES + 1))
  expect(() => encodeFields({ a: nested.fields })).toThrow(refused(/Field a: .*10001 names/))
  expect(nested.reads()).toBe(0)
  const { a } = decodeFields(encodeFields({ a: many(MOST_NAMES) })) as { a: object }
  expect(Object.keys(a)).toHaveLength(MOST_NAMES)
})

test('a small value that is large when written out is refused before it has grown', () => {
  let reads = 0
  const wraps: ((inner: unknown) => object)[] = [
    (inner) => [inner, inner],
    (inner) => ({ a: inner, b: inner }),
    (inner) => ({
      get a() {
        reads++
        return inner
      },
      get b() {
        return inner
      },
    }),
  ]
  for (const wrap of wraps) {
    expect(() => encodeFields({ a: shared(30, wrap) })).toThrow(refused(/more than 250000 names, objects and lists/))
    expect(() => encodeFields({ a: shared(63, wrap) })).toThrow(refused(/more than 250000 names, objects and lists/))
    // As many as there may be come back.
    expect(decodeFields(encodeFields({ a: shared(6, wrap) }))).toEqual({ a: shared(6, wrap) })
  }
  expect(reads).toBeLessThan(MOST_PARTS)
})

test('what is too much to have been written is refused before it is read as JSON', () => {
  const malformed: [RegExp, string][] = [
    [/nested deeper/, `{"a":${'['.repeat(4_000_000)}${']'.repeat(4_000_000)}}`],
    [/nested deeper/, `{"a":${'{"a":'.repeat(100_000)}`],
    [/too many names/, JSON.stringify(many(20_000))],
    [/too many names/, JSON.stringify({ a: { b: many(20_000) } })],
    [/more than 1000 fields/, JSON.stringify(many(MOST_FIELDS + 1))],
    [/names, objects and lists/, `{"a":[${'[],'.repeat(300_000)}1]}`],
    [/values/, `{"a":[${'1,'.repeat(1_100_000)}1]}`],
    [/bytes/, `{"a":"${'x'.repeat(LARGEST_ENTRY)}"}`],
    [/not JSON/, `${']'.repeat(70_000)}`],
  ]
  for (const [why, text] of malformed) expect(() => decodeFields(Buffer.from(text))).toThrow(why)
  // In a text these characters are none of structure.
  const text = `${'[{:,"\\'.repeat(200_000)}`
  expect(decodeFields(encodeFields({ text }))).toEqual({ text })
})

everyEngine({ what: 'limits of entries', partitions: 'all' }, (opened) => {
  test('nothing of a refused entry is stored, and the largest are returned as they were', async () => {
    const { space } = opened()
    const rows = Array.from({ length: 20_000 }, (_, id) => ({ id, at: new Date(id), text: `row ${id}` }))
    expect(() => Loose(many(MOST_FIELDS + 1))).toThrow(refused(/1001 fields/))
    await expect(space.write(Loose({ a: shared(30, (inner) => [inner, inner]) }))).rejects.toEqual(refused(/lists/))
    await space.write(Loose({ ...many(MOST_FIELDS - 1), rows }))
    const taken = (await space.take(Loose)) as unknown as { rows: { at: Date }[] }
    expect(Object.keys(taken)).toHaveLength(MOST_FIELDS)
    expect(taken.rows).toHaveLength(20_000)
    expect(taken.rows[19_999]).toEqual(rows[19_999])
    expect(await space.takeIfExists(AnyEntry)).toBeNull()
  })
})

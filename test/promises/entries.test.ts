/** What entries promise: every value comes back equal or is refused by name, and no name or value is more than data. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { decodeFields, encodeFields, packFields } from '../../src/entry/codec.js'
import { LARGEST_ENTRY, MOST_FIELDS } from '../../src/entry/limits.js'
import { tokenOf } from '../../src/entry/token.js'
import { AnyEntry, defineEntry, entryInfo } from '../../src/entry.js'
import { openSpace } from '../../src/open.js'
import { describeOnRedis, everyEngine } from '../support/every-engine.js'
import { type Redis, startRedis } from '../support/redis.js'

const Loose = defineEntry<Record<string, unknown>>('Loose')

/** Everything that may be stored. */
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('', '$', '$$', '$date', '$$date', '__proto__', 'constructor', '%', '|', 'n:1', 'toJSON'),
)
const storable = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    text,
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.maxSafeInteger(),
    fc.boolean(),
    fc.constant(null),
    fc.bigInt(),
    fc.date({ noInvalidDate: true }),
    fc.uint8Array(),
    fc.array(tie('value'), { maxLength: 4 }),
    tie('fields'),
  ),
  fields: fc
    .array(fc.tuple(text, tie('value')), { maxLength: 4 })
    // As data: an object literal with a __proto__ would set it.
    .map((entries) => Object.fromEntries(entries)),
}))
const { value, fields } = storable as { value: fc.Arbitrary<unknown>; fields: fc.Arbitrary<Record<string, unknown>> }

/** SameValueZero on canonical values, said a second time and in another way than token.ts says it. */
function equal(a: unknown, b: unknown): boolean {
  if (typeof a !== typeof b || a === null || b === null) return a === b
  if (typeof a !== 'object' || typeof b !== 'object') return a === b
  const tag = Object.prototype.toString.call(a)
  if (tag !== Object.prototype.toString.call(b)) return false
  if (tag === '[object Date]') return Number(a) === Number(b)
  const [inA, inB] = [Object.keys(a).sort(), Object.keys(b).sort()]
  return (
    inA.length === inB.length &&
    inA.every((name, i) => name === inB[i] && equal((a as never)[name], (b as never)[name]))
  )
}

const tokenOfValue = (v: unknown): string => tokenOf(packFields({ v }).v!)

describe('values', () => {
  test('what is stored comes back equal', () => {
    fc.assert(
      fc.property(fields, (before) => {
        const after = decodeFields(encodeFields(before)) as Record<string, unknown>
        expect(equal(after, before)).toBe(true)
        expect(Object.keys(after)).toEqual(Object.keys(before))
        expect(Object.getPrototypeOf(after)).toBe(Object.prototype)
      }),
      { numRuns: 1_000 },
    )
  })

  test('tokens are equal if, and only if, the values are', () => {
    // A second value that is often, but not always, the first one in another guise.
    const pair = fc.oneof(
      fc.tuple(value, value),
      value.map((v) => [v, structuredClone(v)] as const),
      fields.map((v) => [v, Object.fromEntries(Object.entries(v).reverse())] as const),
      value.map((v) => [v, [v]] as const),
      value.map((v) => [v, String(v)] as const),
      fc.constantFrom<[unknown, unknown]>(
        [0, -0],
        [1, 1n],
        [1, '1'],
        [null, 'null'],
        [{}, []],
        [new Date(5), 5],
        [new Date(5), { $date: 5 }],
        [5n, { $bigint: '5' }],
        [new Uint8Array([1]), { $bytes: 'AQ==' }],
        [new Uint8Array([1]), [1]],
        [{ a: undefined }, {}],
        ['x'.repeat(50), 'x'.repeat(51)],
      ),
    )
    fc.assert(
      fc.property(pair, ([a, b]) => {
        const same = equal(a, b) || equal(decodeFields(encodeFields({ a })), decodeFields(encodeFields({ a: b })))
        expect(tokenOfValue(a) === tokenOfValue(b)).toBe(same)
      }),
      { numRuns: 2_000 },
    )
  })

  test('a little that is much is refused before it grows', () => {
    // As text it would be 2^60 kB. Each leaf is one, so that the limit comes after thousands of them and not after millions.
    let laughs: unknown[] = ['ha'.repeat(500)]
    for (let i = 0; i < 60; i++) laughs = [laughs, laughs]
    expect(() => encodeFields({ laughs })).toThrow(expect.objectContaining({ code: 'INVALID_ENTRY' }))
  })

  test('what strangers wrote is read or thrown, never run', () => {
    for (const text of [
      '',
      '[]',
      '5',
      '{"a":{"$date":"x"}}',
      '{"a":{"$date":1e99}}',
      '{"a":{"$bigint":"1;"}}',
      `{"a":{"$bigint":"${'9'.repeat(2_000)}"}}`,
      '{"a":{"$bytes":5}}',
      '{"a":{"$other":1}}',
      `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
    ]) {
      expect(() => decodeFields(Buffer.from(text))).toThrow()
    }
    expect(decodeFields(Buffer.from('{"$":1,"$x":{"$y":2,"$z":3}}'))).toEqual({ $: 1, $x: { $y: 2, $z: 3 } })
  })
})

everyEngine('entries', (opened) => {
  test('bytes, dates and bigints come back as they were, and can be asked for', async () => {
    const { space, other } = opened()
    const written = {
      bytes: new Uint8Array([0, 255, 128]),
      when: new Date('2026-01-02T03:04:05.678Z'),
      early: new Date(-8.64e15),
      big: -(2n ** 4095n),
      nested: { list: [1n, new Date(0), new Uint8Array(), null, { deep: [[]] }] },
      tiny: 5e-324,
    }
    await space.write(Loose(written))
    for (const [name, v] of Object.entries(written)) {
      expect(await other.readIfExists(Loose.template({ [name]: v }))).toEqual(written)
    }
    expect(await other.take(Loose)).toEqual(written)
  })

  test('a Buffer is its bytes, and a zero has no sign', async () => {
    const { space } = opened()
    await space.write(Loose({ bytes: Buffer.from('abc'), zero: -0, absent: undefined }))
    expect(await space.readIfExists(Loose.template({ bytes: new Uint8Array([97, 98, 99]), zero: 0 }))).not.toBeNull()
    const entry = await space.take(Loose)
    expect(Object.keys(entry)).toEqual(['bytes', 'zero'])
    expect(Object.is(entry.zero, 0)).toBe(true)
    expect(Buffer.isBuffer(entry.bytes)).toBe(false)
  })

  class Money {
    readonly cents = 5
  }
  const circle: Record<string, unknown> = {}
  circle.self = circle
  // biome-ignore lint/suspicious/noSparseArray: it is what is refused
  const sparse = [1, , 3]
  const nested = (depth: number): unknown => JSON.parse('['.repeat(depth) + ']'.repeat(depth))
  const bad: [string, unknown][] = [
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['a circle', circle],
    ['a lone surrogate', 'a\ud800'],
    ['a lone surrogate in a name', { 'a\udc00': 1 }],
    ['depth over 64', nested(64)],
    ['an invalid date', new Date(Number.NaN)],
    ['an array with a hole', sparse],
    ['an array with undefined', [undefined]],
    ['an array with a name', Object.assign([1], { index: 0 })],
    ['a Map', new Map([[1, 2]])],
    ['a Set', new Set()],
    ['an instance of a class', new Money()],
    ['a typed array that is no bytes', new Float64Array(1)],
    ['an error', new Error('e')],
    ['a boxed text', Object('text')],
    ['a promise', Promise.resolve()],
    ['a name that is a symbol', { [Symbol('s')]: 1 }],
    ['a bigint of more than 4096 bits', 2n ** 4096n],
    ['a text over the limit', 'x'.repeat(LARGEST_ENTRY)],
    ['bytes over the limit', new Uint8Array(LARGEST_ENTRY)],
    [
      'a getter that throws',
      {
        get now(): never {
          throw new Error('not now')
        },
      },
    ],
  ]

  test.each(bad)(
    '%s is refused in an entry and in a template, at the top and below, and nothing is stored',
    async (_what, it) => {
      const { space } = opened()
      const refused = expect.objectContaining({ code: 'INVALID_ENTRY' })
      for (const fields of [{ it }, { deep: [{ it }] }]) {
        await expect(space.writeAll([Loose({ fine: 1 }), Loose(fields)])).rejects.toEqual(refused)
        expect(() => space.snapshot(Loose(fields))).toThrow(refused)
        expect(() => Loose.template(fields)).toThrow(refused)
      }
      expect(await space.takeIfExists(AnyEntry)).toBeNull()
    },
  )

  test('fields that are no plain object, cannot be read, or are too many are refused', async () => {
    const { space } = opened()
    const refused = expect.objectContaining({ code: 'INVALID_ENTRY' })
    const throwing = Object.defineProperty({}, 'x', {
      enumerable: true,
      get() {
        throw new Error('not now')
      },
    })
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    for (const fields of [null, 5, 'text', [1], new Map(), new Money(), () => 1, throwing, proxy]) {
      expect(() => Loose(fields as never)).toThrow(refused)
      expect(() => Loose.template(fields as never)).toThrow(refused)
      expect(() => AnyEntry.template(fields as never)).toThrow(refused)
    }
    const many = (n: number) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`f${i}`, i]))
    expect(() => Loose(many(MOST_FIELDS + 1))).toThrow(refused)
    await expect(space.write(Loose({ 'x\ud800': 1 }))).rejects.toEqual(refused)
    expect(await space.takeIfExists(AnyEntry)).toBeNull()
    await space.write(Loose(many(MOST_FIELDS)))
    expect(await space.take(Loose.template({ f999: 999 }))).toEqual(many(MOST_FIELDS))
  })

  test('the deepest and the largest come back', async () => {
    const { space, other } = opened()
    const fields = { deep: nested(63), large: 'x'.repeat(LARGEST_ENTRY - 300) }
    await space.write(Loose(fields))
    const entry = await other.take(Loose)
    expect(entry.deep).toEqual(fields.deep)
    expect((entry.large as string).length).toBe(fields.large.length)
  })

  test('a getter and a proxy are read once: what is matched is what is stored', async () => {
    const { space } = opened()
    let reads = 0
    const counting = () => ({
      get n(): number {
        return ++reads
      },
    })
    const proxy = new Proxy({ n: 0 }, { get: () => ++reads })
    await space.writeAll([Loose({ at: counting() }), Loose({ at: proxy })])
    expect(await space.takeIfExists(Loose.template({ at: { n: 1 } }))).toEqual({ at: { n: 1 } })
    expect(await space.takeIfExists(Loose.template({ at: { n: 2 } }))).toEqual({ at: { n: 2 } })
  })

  test('names that mean something to JavaScript are data, at the top and below', async () => {
    const { space, other } = opened()
    const fields = JSON.parse(
      '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"prototype":2,"toString":3,"hasOwnProperty":4,' +
        '"list":[{"__proto__":{"polluted":1},"constructor":5,"$date":6}]}',
    )
    await space.write(Loose(fields))
    for (const name of Object.keys(fields)) {
      const one = JSON.parse(JSON.stringify({ x: fields[name] }).replace('"x"', JSON.stringify(name)))
      expect(await other.readIfExists(Loose.template(one))).not.toBeNull()
    }
    const entry = await other.take(Loose)
    expect(JSON.stringify(entry)).toBe(JSON.stringify(fields))
    expect(Object.getPrototypeOf(entry)).toBe(Object.prototype)
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
    // And again, through what came back.
    await space.write(entry)
    expect(JSON.stringify(await other.take(Loose))).toBe(JSON.stringify(fields))
  })

  test('a snapshot is the entry as it was, for as many writes as one likes', async () => {
    const { space, other } = opened()
    const fields = { id: 's', list: [1] }
    const entry = Loose(fields)
    const snapshot = space.snapshot(entry)
    fields.list.push(2)
    const [first, second] = await space.writeAll([snapshot, snapshot], { leaseMs: [60_000, 120_000] })
    await other.write(snapshot, { priority: 5 })
    expect(first!.id).not.toBe(second!.id)
    expect(entryInfo(await space.take(Loose)).priority).toBe(5)
    expect(await space.take(Loose)).toEqual({ id: 's', list: [1] })
    expect(await space.take(Loose.template({ list: [1] }))).toEqual({ id: 's', list: [1] })
    expect(await space.takeIfExists(Loose)).toBeNull()
  })

  test('a snapshot of a template or a kind is used wherever these are, in any space', async () => {
    const { space, other } = opened()
    const fields: Record<string, unknown> = { id: 'a' }
    const snapshot = other.snapshot(Loose.template(fields))
    fields.id = 'b'
    await space.writeAll([Loose({ id: 'b' }), Loose({ id: 'a' })])
    expect(await space.read(snapshot)).toEqual({ id: 'a' })
    expect(await space.take(snapshot, { waitMs: 0 })).toEqual({ id: 'a' })
    expect(await space.takeIfExists(snapshot)).toBeNull()
    expect(await space.takeIfExists(space.snapshot(AnyEntry))).toEqual({ id: 'b' })
    // @ts-expect-error: not made by a kind
    expect(() => space.snapshot({ id: 'no entry' })).toThrow(expect.objectContaining({ code: 'INVALID_ENTRY' }))
    expect(() => space.snapshot((() => 1) as never)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })

  test('a kind with a name or an index that is none is refused', () => {
    const refused = expect.objectContaining({ code: 'INVALID_ARGUMENT' })
    for (const name of ['', '*', 'takespace.X', 'x'.repeat(101), 'a\ud800', 5, null]) {
      expect(() => defineEntry(name as string)).toThrow(refused)
    }
    for (const index of ['id', [5], ['a\ud800'], {}]) {
      expect(() => defineEntry('Kind', { index: index as never })).toThrow(refused)
    }
  })
})

describeOnRedis('names, on Redis', () => {
  let redis: Redis
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())

  const evil = [
    '{other}',
    '}{x}',
    '{',
    ':',
    '\0',
    'a\nb',
    '|;|',
    '*',
    '?[a]',
    ' ',
    '__proto__',
    'é漢😀',
    'x'.repeat(60),
  ]

  test('no name of a space, a kind or a field leaves the hash tag of its space', async () => {
    for (const [n, name] of evil.entries()) {
      await redis.cli('FLUSHALL')
      await using space = await openSpace(redis.url, { name })
      await using other = await openSpace(redis.url, { name: `${name}:` })
      const Kind = defineEntry<Record<string, unknown>>(`${name}${name === '*' ? '*' : ''}`, { index: [...evil, 'n'] })
      const fields = {
        ...Object.fromEntries(evil.map((field) => [field, `${field}${name}`])),
        n,
        large: 'x'.repeat(5_000),
      }
      const waiting = other.take(Kind.template(fields), { waitMs: 30_000 })
      await space.write(Kind(fields))
      await space.write(Kind.extend<object>(`${name}.`)({ ...fields, n: -1 }))
      const tag = `{ts:${encodeURIComponent(name)}`
      const keys = (await redis.cli('KEYS', '*')).split('\n')
      expect(keys.length).toBeGreaterThan(evil.length)
      // One line for each key: none has a line break in it, either.
      expect(keys).toHaveLength(Number(await redis.cli('DBSIZE')))
      for (const key of keys) {
        expect(key.startsWith(`${tag}}:`) || key.startsWith(`${tag}%3A}:`)).toBe(true)
        expect(key.slice(tag.length).match(/^(%3A)?\}:/)).not.toBeNull()
      }
      for (const field of evil) {
        expect(await space.readIfExists(Kind.template({ [field]: `${field}${name}`, n }))).toEqual(fields)
      }
      await other.write(Kind(fields))
      expect(await waiting).toEqual(fields)
    }
  })

  test('a name of a space that is no text is refused', async () => {
    for (const name of ['', 'a\ud800', 'x'.repeat(101), 5]) {
      await expect(openSpace(redis.url, { name: name as string })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
  })
})

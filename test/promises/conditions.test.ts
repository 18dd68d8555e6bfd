/** What conditions of templates promise: they hold by value and type, in every call that takes a template. */
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { Condition } from '../../src/entry/condition.js'
import { absent, between, gt, gte, lt, lte, not, oneOf, present, startsWith } from '../../src/entry/conditions.js'
import { AnyEntry, defineEntry, type Matching } from '../../src/entry.js'
import { everyEngine, testInOnePartition } from '../support/every-engine.js'
import { until } from '../support/until.js'

const Loose = defineEntry<Record<string, unknown>>('Loose')
type Job = { id: number; type: string; due?: number; owner?: string | null }
const Job = defineEntry<Job>('Job', { index: ['id', 'type', 'owner'] })
const Urgent = Job.extend<{ by: Date }>('Urgent')

const EARLY = new Date(86_400_000)
const LATE = new Date(2 * 86_400_000)
/** Longer than a token: a record holds its hash, and its beginning. */
const LONG = `path/${'a'.repeat(60)}`
const HUGE = 10n ** 60n
/** Behind the surrogates in UTF-16, before them by code point. */
const HIGH = '\uffee'
const ASTRAL = '\u{1f600}'

/** Values of all types, few of each; undefined: the field is absent. */
const VALUES: readonly unknown[] = [
  undefined,
  null,
  true,
  -1.5,
  0,
  1,
  2,
  1e21,
  EARLY,
  LATE,
  -HUGE,
  -5n,
  7n,
  12n,
  HUGE,
  '',
  'a',
  'a|b%',
  'a~',
  'b',
  HIGH,
  ASTRAL,
  LONG,
  `${LONG}b`,
  'z'.repeat(500),
  [1, 'a'],
  { a: 1 },
]

const rankOf = (value: unknown): string => {
  if (value instanceof Date) return 'date'
  return typeof value
}
/** Less than 0, 0 or more; undefined if two values have no order. */
function compared(a: unknown, b: unknown): number | undefined {
  if (rankOf(a) !== rankOf(b) || !['number', 'bigint', 'string', 'date'].includes(rankOf(a))) return undefined
  if (typeof a !== 'string') return a! < b! ? -1 : a! > b! ? 1 : 0
  return Buffer.compare(Buffer.from(a), Buffer.from(b as string))
}
const isSame = (a: unknown, b: unknown): boolean =>
  rankOf(a) === rankOf(b) && (typeof a === 'object' ? JSON.stringify(a) === JSON.stringify(b) : a === b)

/** A condition, and what it means in plain words. */
type Meant = readonly [text: string, condition: Condition, means: (value: unknown) => boolean]
const comparing =
  (holds: (order: number) => boolean, other: unknown) =>
  (value: unknown): boolean => {
    const order = compared(value, other)
    return order !== undefined && holds(order)
  }
const COMPARED = [0, 1, 1e21, EARLY, LATE, -5n, 7n, 10n ** 38n, '', 'a', 'a|b%', 'b', HIGH, LONG.slice(0, 64)] as const
const MEANT: readonly Meant[] = [
  ...COMPARED.flatMap((value): Meant[] => [
    [`gt ${value}`, gt(value), comparing((order) => order > 0, value)],
    [`gte ${value}`, gte(value), comparing((order) => order >= 0, value)],
    [`lt ${value}`, lt(value), comparing((order) => order < 0, value)],
    [`lte ${value}`, lte(value), comparing((order) => order <= 0, value)],
  ]),
  ['between 0 and 1', between(0, 1), (value) => value === 0 || value === 1],
  ['between dates', between(EARLY, EARLY), (value) => isSame(value, EARLY)],
  ['between texts', between('a', 'b'), (value) => typeof value === 'string' && value >= 'a' && value <= 'b'],
  ...['', 'a', 'a|', LONG.slice(0, 64), ASTRAL].map(
    (text): Meant => [
      `startsWith ${text}`,
      startsWith(text),
      (value) => typeof value === 'string' && value.startsWith(text),
    ],
  ),
  [
    'oneOf',
    oneOf<unknown>(1, 'a', null, LONG, [1, 'a']),
    (value) => [1, 'a', null, LONG, [1, 'a']].some((each) => isSame(each, value)),
  ],
  ['oneOf a single value', oneOf('a'), (value) => value === 'a'],
  ['absent', absent(), (value) => value === undefined],
  ['present', present(), (value) => value !== undefined],
  ['not a value', not('a'), (value) => value !== 'a'],
]
const ALL: readonly Meant[] = [
  ...MEANT,
  ...MEANT.map(([text, condition, means]): Meant => [`not ${text}`, not(condition), (value) => !means(value)]),
]

everyEngine('conditions', (opened, engine) => {
  const ids = async (template: ReturnType<typeof Loose.template>): Promise<number[]> => {
    const found: number[] = []
    for await (const entry of opened().space.contents(template)) found.push(entry.n as number)
    return found.sort((a, b) => a - b)
  }

  test('each holds for the values for which it should, of every type, and for no other', async () => {
    const { space } = opened()
    await space.writeAll(VALUES.map((v, n) => Loose({ n, v })))
    for (const [text, condition, means] of ALL) {
      const expected = VALUES.flatMap((value, n) => (means(value) ? [n] : []))
      expect([text, await ids(Loose.template({ v: condition }))]).toEqual([text, expected])
    }
  })

  test('a field of any name has conditions, several of them hold together and beside values', async () => {
    const { space } = opened()
    const names = ['__proto__', '$date', 'a|b=c', '{x}:y*?', '', 'n'.repeat(60), '?a=!', ',;@']
    for (const [n, name] of names.entries()) {
      const of = (value: unknown): Record<string, unknown> =>
        Object.defineProperty({ n }, name, { value, enumerable: true }) as Record<string, unknown>
      await space.writeAll([Loose(of(1)), Loose(of(5)), Loose(of(LONG))])
      expect(await space.takeIfExists(Loose.template(of(gt(3))))).toEqual(of(5))
      expect(await space.takeIfExists(Loose.template(of(startsWith('path/'))))).toEqual(of(LONG))
      expect(await space.takeIfExists(Loose.template(of(not(1))))).toBeNull()
    }
    await space.writeAll([1, 2, 3, 4].map((a) => Loose({ a, b: a % 2, c: 'x' })))
    const template = Loose.template({ a: gt(1), b: 1, c: oneOf('x', 'y'), d: absent(), n: undefined })
    expect(await space.takeIfExists(template)).toEqual({ a: 3, b: 1, c: 'x' })
    expect(await space.takeIfExists(template)).toBeNull()
  })

  test('every call with a template takes them: takes, reads, ifExists, takeAll, contents, snapshots', async () => {
    const { space, other } = opened()
    await space.writeAll([1, 2, 3, 4, 5, 6].map((id) => Job({ id, type: 'abc'[id % 3]!, due: id * 10 })))
    const due = Job.template({ due: lte(30), type: oneOf('b', 'c') })
    expect(await other.read(due, { waitMs: 0 })).toMatchObject({ type: expect.stringMatching(/[bc]/) })
    expect((await other.readIfExists(due))?.due).toBeLessThanOrEqual(30)
    const found: number[] = []
    for await (const { id } of other.contents(space.snapshot(due))) found.push(id)
    expect(found.sort()).toEqual([1, 2])
    expect((await other.take(due))?.id).toBeLessThan(3)
    const rest = await other.takeAll([due, Job.template({ due: gt(50), owner: absent() })], { waitMs: 0 })
    expect(rest.map(({ id }) => id).sort()).toHaveLength(2)
    expect(await other.takeIfExists(due)).toBeNull()
    expect(
      (await other.takeAll([Job.template({ owner: absent() })], { waitMs: 0 })).map(({ id }) => id).sort(),
    ).toEqual([3, 4, 5])
  })

  test('a wait is ended by the first write that matches, and by none before', async () => {
    const { space, other } = opened()
    const due = other.take(Job.template({ due: lte(10), owner: absent() }))
    const free = other.read(Job.template({ owner: not('me') }))
    const several = other.takeAll([Job.template({ type: oneOf('x', 'y') }), Job.template({ id: gt(100) })])
    await other.readIfExists(Job)
    await space.writeAll([
      Job({ id: 1, type: 'a', due: 11, owner: 'me' }),
      Job({ id: 2, type: 'a', due: 5, owner: 'me' }),
    ])
    await space.write(Job({ id: 3, type: 'a', due: 12 }))
    expect(await free).toMatchObject({ id: 3 })
    await space.write(Job({ id: 4, type: 'y', due: 12 }))
    expect(await several).toEqual([{ id: 4, type: 'y', due: 12 }])
    await space.write(Urgent({ id: 5, type: 'a', due: 10, by: EARLY }))
    expect(await due).toMatchObject({ id: 5, by: EARLY })
    expect(await opened().violations()).toEqual([])
  })

  test('a wait whose time is over, or whose signal fires, is handed nothing', async () => {
    const { space, other } = opened()
    const gone = new AbortController()
    const aborted = other.take(Job.template({ due: gt(0) }), { signal: gone.signal }).catch((error) => error)
    expect(await other.take(Job.template({ due: gt(0) }), { waitMs: 20 })).toBeNull()
    gone.abort(new Error('enough'))
    expect(await aborted).toEqual(new Error('enough'))
    await space.write(Job({ id: 1, type: 'a', due: 1 }))
    expect(await space.takeIfExists(Job.template({ due: gt(0) }))).toMatchObject({ id: 1 })
    expect(await opened().violations()).toEqual([])
  })

  testInOnePartition(
    'of takers that wait with different conditions the one that has waited longest comes first',
    async () => {
      const { space, other } = opened()
      const order: string[] = []
      const take = async (name: string, template: ReturnType<typeof Loose.template>): Promise<void> => {
        void space.take(template).then(() => order.push(name))
        await space.readIfExists(Loose.template({ n: -1 }))
      }
      await take('range', Loose.template({ n: gt(5) }))
      await take('plain', Loose.template({ n: 10 }))
      await take('never', Loose.template({ n: lt(5) }))
      await take('same range', Loose.template({ n: gt(5) }))
      await take('one of', Loose.template({ n: oneOf(9, 10) }))
      await take('all', Loose.template({}))
      for (let i = 1; i <= 5; i++) {
        await other.write(Loose({ n: 10 }))
        await until(() => order.length === i, 'one of them is served')
      }
      expect(order).toEqual(['range', 'plain', 'same range', 'one of', 'all'])
      await other.write(Loose({ n: 4 }))
      await until(() => order.length === 6, 'the last is served')
    },
  )

  test('transactions: a hidden match is a conflict of ifExists, and comes back; others are none', async () => {
    const { space, other } = opened()
    await space.write(Job({ id: 1, type: 'a', due: 7 }))
    const tx = await space.begin()
    expect(await space.takeIfExists(Job.template({ due: between(5, 9) }), { tx })).toMatchObject({ id: 1 })
    expect(await other.takeIfExists(Job.template({ due: gt(9) }), { waitMs: 60_000 })).toBeNull()
    const conflicting = other.takeIfExists(Job.template({ due: lt(9) }), { waitMs: 60_000 })
    await space.write(Job({ id: 2, type: 'a', due: 100 }), { tx })
    expect(await space.readIfExists(Job.template({ due: gte(100) }), { tx })).toMatchObject({ id: 2 })
    expect(await other.readIfExists(Job.template({ due: gte(100) }))).toBeNull()
    await tx.abort()
    expect(await conflicting).toMatchObject({ id: 1 })
    expect(await opened().violations()).toEqual([])
  })

  test('a registration is told of what matches its conditions, once', async () => {
    const { space, other } = opened()
    const seen: number[] = []
    const templates = [Job.template({ due: gt(5), owner: absent() }), Job.template({ type: oneOf('x', 'y') })] as const
    const registration = await other.notify(templates, ({ entry }) => void seen.push(entry.id))
    await space.writeAll([
      Job({ id: 1, type: 'a', due: 5 }),
      Job({ id: 2, type: 'a', due: 6 }),
      Job({ id: 3, type: 'x', due: 6, owner: 'me' }),
      Job({ id: 4, type: 'y', due: 6 }),
      Job({ id: 5, type: 'a', due: 6, owner: null }),
    ])
    await until(() => seen.length === 3, 'three events')
    await registration.cancel()
    await space.write(Job({ id: 6, type: 'x' }))
    await other.readIfExists(Job)
    expect(seen.sort()).toEqual([2, 3, 4])
    expect(await opened().violations()).toEqual([])
  })

  test('a match is found behind any number of entries for which a condition does not hold', async () => {
    const { space } = opened()
    await space.writeAll(Array.from({ length: 700 }, (_, n) => Job({ id: n, type: n === 650 ? 'rare' : 'a', due: n })))
    expect(await space.takeIfExists(Job.template({ due: gt(698) }))).toMatchObject({ id: 699 })
    expect(await space.take(Job.template({ type: not('a') }), { waitMs: 5_000 })).toMatchObject({ id: 650 })
    expect(await space.takeIfExists(Job.template({ due: gt(698) }))).toBeNull()
    const all = await space.takeAll([Job.template({ due: between(600, 639), type: startsWith('a') })], {
      max: 1_000,
      waitMs: 0,
    })
    expect(all.map(({ id }) => id).sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => 600 + i))
  })

  testInOnePartition('matches of several indexes come by priority, then by age, page by page', async () => {
    const { space } = opened()
    const types = ['a', 'b', 'c', 'd', 'e', 'f']
    const written = Array.from({ length: 600 }, (_, id) => ({
      id,
      type: types[(id * 7) % 6]!,
      owner: id % 3 ? 'me' : undefined,
    }))
    for (const [i, job] of written.entries()) {
      void space.write(Job(job as Job), { priority: i % 50 === 0 ? 1 : 0 })
    }
    const expected = (meets: (job: (typeof written)[number]) => boolean): number[] => {
      const all = written.filter(meets).map(({ id }) => id)
      return [...all.filter((id) => id % 50 === 0), ...all.filter((id) => id % 50 !== 0)]
    }
    const contents = async (template: Matching<Job>): Promise<number[]> => {
      const found: number[] = []
      for await (const { id } of space.contents(template)) found.push(id)
      return found
    }
    const five = oneOf('a', 'b', 'd', 'e', 'f')
    await space.readIfExists(Job)
    expect(await contents(Job.template({ type: five }))).toEqual(expected(({ type }) => type !== 'c'))
    expect(await contents(Job.template({ owner: absent() }))).toEqual(expected(({ owner }) => !owner))
    expect(await contents(Job.template({ owner: absent(), type: five, id: lt(300) }))).toEqual(
      expected(({ owner, type, id }) => !owner && type !== 'c' && id < 300),
    )
    const taken = await space.takeAll([Job.template({ type: five, owner: present() })], { max: 1_000, waitMs: 0 })
    expect(taken.map(({ id }) => id)).toEqual(expected(({ owner, type }) => owner !== undefined && type !== 'c'))
  })

  test('writers that index other fields are found by each other’s conditions', async () => {
    const { space, other } = opened()
    const Plain = defineEntry<Job>('Job')
    await space.write(Job({ id: 1, type: 'a' }))
    expect(await other.readIfExists(Job.template({ owner: absent() }))).toMatchObject({ id: 1 })
    await other.write(Plain({ id: 2, type: 'b' }))
    await other.write(Plain({ id: 3, type: 'b', owner: 'me' }))
    expect(
      (await space.takeAll([Job.template({ owner: absent() })], { waitMs: 0 })).map(({ id }) => id).sort(),
    ).toEqual([1, 2])
    expect(await space.takeIfExists(Plain.template({ type: oneOf('a', 'b') }))).toMatchObject({ id: 3 })
  })

  test('what random conditions find is what plain comparison finds', async () => {
    const { space } = opened()
    const value = fc.constantFrom(...VALUES)
    let round = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ a: value, b: value }), { maxLength: 8 }),
        fc.constantFrom(...ALL),
        fc.constantFrom(...ALL),
        async (entries, [, a, meansA], [, b, meansB]) => {
          const key = `round${++round}`
          if (entries.length > 0) await space.writeAll(entries.map((fields, i) => Loose({ ...fields, key, i })))
          const expected = entries.findIndex((fields) => meansA(fields.a) && meansB(fields.b))
          const found = await space.takeIfExists(Loose.template({ key, a, b }))
          expect(found ? found.i : -1).toBe(expected)
        },
      ),
      { numRuns: engine === 'memory' ? 100 : 40 },
    )
  })
})

test.each<[string, () => unknown, string | RegExp]>([
  ['gt of undefined', () => gt(undefined as never), /gt wants a number, a Date, a bigint or a text, not undefined/],
  ['gt of null', () => gt(null as never), /not null/],
  ['lte of true', () => lte(true as never), /not boolean/],
  ['lt of a list', () => lt([1] as never), /not object/],
  ['gte of NaN', () => gte(Number.NaN), /finite number/],
  ['gte of an invalid Date', () => gte(new Date(Number.NaN)), /valid Date/],
  ['gt of a long text', () => gt('a'.repeat(65)), /at most 64 characters: cut the text, which has 65/],
  ['gt of a large bigint', () => gt(10n ** 39n), /at most 39 digits/],
  ['startsWith of a long text', () => startsWith('a'.repeat(65)), /startsWith compares at most 64 characters/],
  ['startsWith of a number', () => startsWith(1 as never), /startsWith wants a text, not number/],
  ['between two types', () => between(1, new Date(0) as never), /values of one type, not number and Date/],
  ['between the wrong way round', () => between(2, 1), /the smaller value first/],
  ['oneOf nothing', () => oneOf(), /at least one value/],
  ['oneOf a list', () => oneOf(['a', 'b']), /oneOf\(\.\.\.values\)/],
  ['oneOf too many', () => oneOf(...Array.from({ length: 101 }, (_, i) => i)), /at most 100 values, not 101/],
  ['oneOf undefined', () => oneOf(1, undefined), /present\(\) and absent\(\)/],
  ['oneOf a condition', () => oneOf<unknown>(1, gt(1)), /values, not a condition/],
  ['not undefined', () => not(undefined), /present\(\) and absent\(\)/],
  ['AnyEntry with a condition', () => AnyEntry.template({ a: gt(1) }), /ask for one kind/],
  [
    'too many conditions',
    () => Loose.template(Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`f${i}`, present()]))),
    /at most 20 conditions, not 21/,
  ],
])('%s is refused', (_what, make, message) => {
  expect(make).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringMatching(message) }))
})

test.each<[string, () => unknown, RegExp]>([
  ['a function', () => oneOf(() => {}), /Field oneOf.*a function cannot be stored/],
  ['a lone surrogate', () => gt('\ud800'), /Field gt.*lone surrogate/],
  ['a condition within a value', () => Loose.template({ a: { b: gt(1) } }), /Field a\.b: a condition/],
])('%s is no value', (_what, make, message) => {
  expect(make).toThrow(expect.objectContaining({ code: 'INVALID_ENTRY', message: expect.stringMatching(message) }))
})

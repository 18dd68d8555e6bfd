/**
 * Among many entries and many waits: each take gets the best match and each entry goes to the wait that is due, as a list
 * that is looked through says.
 */
import { expect, test } from '@jest/globals'
import { between, gt, gte, lt, lte, not, oneOf, startsWith } from '../../src/entry/conditions.js'
import { ordered } from '../../src/entry/ordered.js'
import type { Template } from '../../src/entry/template.js'
import { AnyEntry, defineEntry } from '../../src/entry.js'
import { everyEngine, testInOnePartition } from '../support/every-engine.js'
import { Other } from '../support/kinds.js'

interface Fields {
  readonly n: number
  readonly type: string
  readonly due: number
  readonly owner?: string
}

const Job = defineEntry<Fields>('Job', { index: ['n', 'type', 'owner', ordered('due')] })
const Urgent = Job.extend<{ by: string }>('Urgent')

interface Kept extends Fields {
  readonly priority: number
  readonly by?: string
  /** Of the write. */
  readonly order: number
}

/** Returns numbers below a bound, always the same ones. */
function numbers(seed: number): (bound: number) => number {
  let state = seed
  return (bound) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return Math.floor((state / 2_147_483_648) * bound)
  }
}

interface Asked {
  readonly template: Template<Fields> | typeof Job | typeof AnyEntry
  matches(entry: Kept): boolean
  readonly isOrdered?: boolean
}

/** A template with what it asks for, made of a few numbers. */
function asked(kind: number, n: number, of: number): Asked {
  const type = `t${n % 7}`
  const templates: Asked[] = [
    { template: Job.template({ n }), matches: (entry) => entry.n === n },
    { template: Job.template({ type }), matches: (entry) => entry.type === type },
    {
      template: Job.template({ type: oneOf('t1', type, 't9') }),
      matches: (entry) => ['t1', type, 't9'].includes(entry.type),
    },
    { template: Job.template({ due: lte(of) }), matches: ({ due }) => due <= of, isOrdered: true },
    {
      template: Job.template({ due: between(of, of + 9), type: not('t1') }),
      matches: (entry) => entry.due >= of && entry.due <= of + 9 && entry.type !== 't1',
      isOrdered: true,
    },
    {
      template: Job.template({ due: gt(of), type }),
      matches: (entry) => entry.due > of && entry.type === type,
      isOrdered: true,
    },
    {
      template: Job.template({ owner: startsWith('o1'), n: gte(n) }),
      matches: (entry) => (entry.owner ?? '').startsWith('o1') && entry.n >= n,
    },
    {
      template: Urgent.template({ owner: `o${n % 20}`, type }) as unknown as Template<Fields>,
      matches: (entry) => entry.by !== undefined && entry.owner === `o${n % 20}` && entry.type === type,
    },
    { template: Job.template({ n: lt(n), type }), matches: (entry) => entry.n < n && entry.type === type },
    { template: AnyEntry, matches: () => true },
    { template: Job, matches: () => true },
  ]
  return templates[kind % templates.length]!
}

const SHAPES = 11

/** Returns the matches in the order in which they are taken. */
const inOrder = (all: readonly Kept[], { matches, isOrdered }: Asked): Kept[] =>
  all.filter(matches).sort((a, b) => (isOrdered ? a.due - b.due : 0) || b.priority - a.priority || a.order - b.order)

everyEngine('many resident', (opened) => {
  const next = numbers(11)
  let written = 0
  const write = async (count: number): Promise<Kept[]> => {
    const { space } = opened()
    const made = Array.from({ length: count }, (): Kept => {
      const n = written++
      const owner = next(3) ? { owner: `o${next(20)}` } : {}
      const by = next(4) ? {} : { by: 'me' }
      return { n, type: `t${next(9)}`, due: next(300), ...owner, ...by, priority: next(3), order: n }
    })
    await Promise.all(
      made.map(({ priority, order: _, ...fields }) =>
        space.write('by' in fields ? Urgent(fields as never) : Job(fields), { priority }),
      ),
    )
    return made
  }

  testInOnePartition('takes, returns and contents are those of a list that is looked through', async () => {
    const { space, other } = opened()
    let all = await write(800)
    for (let turn = 0; turn < 110; turn++) {
      const each = asked(turn % SHAPES, next(800), next(300))
      const expected = inOrder(all, each)[0]
      const what = `turn ${turn}`
      if (turn % 5 === 0) {
        // Undone: the entry is back in its place.
        const tx = await other.begin()
        expect([what, (await other.takeIfExists(each.template as typeof Job, { tx }))?.n]).toEqual([what, expected?.n])
        await tx.abort()
      } else {
        expect([what, (await space.takeIfExists(each.template as typeof Job))?.n]).toEqual([what, expected?.n])
        all = all.filter((entry) => entry !== expected)
      }
      if (turn % 20 === 0) all = [...all, ...(await write(40))]
    }
    for (let kind = 0; kind < SHAPES; kind++) {
      const each = asked(kind, 400 + kind, 90)
      if (each.template === AnyEntry) continue
      const found: number[] = []
      for await (const { n } of space.contents(each.template as typeof Job)) found.push(n)
      expect([kind, found]).toEqual([kind, inOrder(all, each).map(({ n }) => n)])
      expect(await space.count(each.template as typeof Job)).toBe(found.length)
    }
    expect(await opened().violations()).toEqual([])
  })

  testInOnePartition('an entry goes to the take of a match that has waited longest, of all shapes', async () => {
    const { space, other } = opened()
    const stop = new AbortController()
    const waiting = Array.from({ length: 250 }, () => asked(next(SHAPES - 2), written + next(250), next(300)))
    const served: (readonly [wait: number, n: number])[] = []
    const waits = waiting.map(({ template }, i) =>
      space.take(template as typeof Job, { signal: stop.signal }).then(
        ({ n }) => void served.push([i, n]),
        () => {},
      ),
    )
    await space.readIfExists(Other)
    const left = new Set(waiting.keys())
    for (let turn = 0; turn < 120; turn++) {
      const [entry] = await write(1)
      const due = [...left].find((i) => waiting[i]!.matches(entry!))
      if (due === undefined) {
        expect((await other.takeIfExists(Job.template({ n: entry!.n })))?.n).toBe(entry!.n)
        continue
      }
      left.delete(due)
      await waits[due]
      expect(served[served.length - 1]).toEqual([due, entry!.n])
    }
    expect(left.size).toBeLessThan(220)
    stop.abort()
    await Promise.all(waits)
    expect(await opened().violations()).toEqual([])
  })

  test('AnyEntry finds what there is after many kinds that have no entries any longer', async () => {
    const { space, other } = opened()
    const kinds = Array.from({ length: 150 }, (_, i) => defineEntry<{ i: number }>(`Kind${i}`))
    await Promise.all(kinds.map((kind, i) => space.write(kind({ i }))))
    for (const kind of kinds) expect(await other.takeIfExists(kind)).not.toBeNull()
    expect(await other.readIfExists(AnyEntry)).toBeNull()
    for (const i of [3, 70, 149]) await space.write(kinds[i]!({ i }))
    const found: unknown[] = []
    for (let i = 0; i < 3; i++) found.push((await other.takeIfExists(AnyEntry))?.i)
    expect(found.sort()).toEqual([149, 3, 70])
    const tx = await space.begin()
    await space.write(kinds[5]!({ i: 5 }))
    expect(await space.readIfExists(AnyEntry, { tx })).toEqual({ i: 5 })
    expect(await other.takeIfExists(AnyEntry, { waitMs: 0 })).toBeNull()
    expect(await other.readIfExists(AnyEntry.template({ i: 5 }))).toEqual({ i: 5 })
    await tx.abort()
    expect(await other.takeIfExists(AnyEntry)).toEqual({ i: 5 })
  })
})

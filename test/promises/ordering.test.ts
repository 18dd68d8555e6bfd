/** What an ordered index promises: a template with a comparison on its field is answered in the order of its values. */
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { absent, between, gt, gte, lt, lte, oneOf, startsWith } from '../../src/entry/conditions.js'
import { ordered } from '../../src/entry/ordered.js'
import { defineEntry, type Matching } from '../../src/entry.js'
import { everyEngine, testInOnePartition } from '../support/every-engine.js'

type Job = { id: number; type: string; due?: number; at?: Date; big?: bigint; name?: string }
const Job = defineEntry<Job>('Job', { index: ['type', ordered('due'), ordered('at'), ordered('big'), ordered('name')] })
const Urgent = Job.extend<{ by: string }>('Urgent')
const LONG = 'n'.repeat(60)

everyEngine('ordering', (opened) => {
  const idsOf = async (template: Matching<Job>): Promise<number[]> => {
    const found: number[] = []
    for await (const { id } of opened().space.contents(template)) found.push(id)
    return found
  }
  const values = {
    due: [5, -1.5, 0, 1e21, -1e-9, 3, 3, 1e-9, -1e300],
    at: [5, -1, 0, 8.64e15, 3].map((ms) => new Date(ms)),
    big: [5n, -7n, 0n, 10n ** 60n, -(10n ** 60n), 2n * 10n ** 50n, -(2n * 10n ** 50n), 12n, -70n],
    name: ['b', '', 'a', 'ab', 'a\u0000b', 'a\u0001', '\u{1f600}', '\uffee', LONG, `${LONG}a`, 'a|%', 'é'],
  }

  testInOnePartition(
    'matches come in the order of values of every type, smallest first, within the range',
    async () => {
      const { space } = opened()
      for (const [field, list] of Object.entries(values)) {
        await space.writeAll(list.map((value, id) => Job({ id, type: field, [field]: value } as Job)))
      }
      const sorted = (list: readonly unknown[], compare: (a: never, b: never) => number): number[] =>
        list
          .map((value, id) => ({ value, id }))
          .sort((a, b) => compare(a.value as never, b.value as never) || a.id - b.id)
          .map(({ id }) => id)
      const byValue = (a: number, b: number): number => (a < b ? -1 : a > b ? 1 : 0)
      expect(await idsOf(Job.template({ due: lte(1e22) }))).toEqual(sorted(values.due, byValue))
      expect(await idsOf(Job.template({ due: between(-1, 3) }))).toEqual([4, 2, 7, 5, 6])
      expect(await idsOf(Job.template({ due: gt(3) }))).toEqual([0, 3])
      expect(await idsOf(Job.template({ due: gte(3) }))).toEqual([5, 6, 0, 3])
      expect(await idsOf(Job.template({ due: lt(0) }))).toEqual([8, 1, 4])
      expect(await idsOf(Job.template({ at: gte(new Date(-1)) }))).toEqual(sorted(values.at, byValue as never))
      expect(await idsOf(Job.template({ big: gt(-(10n ** 38n)) }))).toEqual([8, 1, 2, 0, 7, 5, 3])
      expect(await idsOf(Job.template({ big: lt(0n) }))).toEqual([4, 6, 8, 1])
      const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))
      expect(await idsOf(Job.template({ name: gte('') }))).toEqual(sorted(values.name, byBytes as never))
      expect(await idsOf(Job.template({ name: startsWith('a') }))).toEqual([2, 4, 5, 3, 10])
      expect(await idsOf(Job.template({ name: startsWith('n'), due: absent() }))).toEqual([8, 9])
    },
  )

  testInOnePartition(
    'takes are oldest due first, page by page, whatever else the template names; equal ones by place',
    async () => {
      const { space, other } = opened()
      const jobs = Array.from({ length: 450 }, (_, id) => ({ id, type: id % 3 ? 'a' : 'b', due: (id * 37) % 90 }))
      for (const job of jobs) void space.write(Job(job), { priority: job.id % 50 === 0 ? 1 : 0 })
      const sorted = jobs
        .filter(({ due }) => due < 80)
        .sort((a, b) => a.due - b.due || Number(b.id % 50 === 0) - Number(a.id % 50 === 0) || a.id - b.id)
      await space.readIfExists(Job)
      expect(await idsOf(Job.template({ due: lt(80) }))).toEqual(sorted.map(({ id }) => id))
      expect((await space.read(Job.template({ due: lt(80) }))).id).toBe(sorted[0]!.id)
      const ofType = sorted.filter(({ type }) => type === 'b').map(({ id }) => id)
      const first = await other.take(Job.template({ due: lt(80), type: 'b' }))
      expect(first.id).toBe(ofType[0])
      const rest = await other.takeAll([Job.template({ due: lt(80), type: oneOf('b', 'c') })], {
        max: 1_000,
        waitMs: 0,
      })
      expect(rest.map(({ id }) => id)).toEqual(ofType.slice(1))
      expect(await opened().violations()).toEqual([])
    },
  )

  testInOnePartition('what transactions hide, read and give back keeps its place in the order', async () => {
    const { space, other } = opened()
    for (const [id, due] of [3, 1, 2, 4].entries()) await space.write(Job({ id, type: 'a', due }))
    const tx = await space.begin()
    const due = Job.template({ due: gte(0) })
    expect((await space.take(due, { tx })).due).toBe(1)
    expect((await space.read(due, { tx })).due).toBe(2)
    await space.write(Job({ id: 9, type: 'a', due: 0.5 }), { tx })
    expect((await space.read(due, { tx })).due).toBe(0.5)
    expect((await other.read(due)).due).toBe(2)
    expect((await other.take(due)).due).toBe(3)
    expect(await opened().violations()).toEqual([])
    await tx.abort()
    expect((await other.takeAll([due], { waitMs: 0 })).map((job) => job.due)).toEqual([1, 2, 4])
    expect(await opened().violations()).toEqual([])
  })

  test('entries of kinds that extend it, and of any value or none, are found and leave nothing behind', async () => {
    const { space } = opened()
    await space.write(Urgent({ id: 1, type: 'a', due: 1, by: 'x' }))
    await space.write(Job({ id: 2, type: 'a' }))
    await space.write(Job({ id: 3, type: 'a', due: null as never }))
    expect(await space.takeIfExists(Job.template({ due: lte(1) }))).toMatchObject({ id: 1, by: 'x' })
    expect(await space.takeIfExists(Job.template({ due: lte(1) }))).toBeNull()
    const waiting = space.take(Job.template({ due: gt(5) }))
    await space.write(Job({ id: 4, type: 'a', due: 6 }))
    expect(await waiting).toMatchObject({ id: 4 })
    const { id } = await space.write(Job({ id: 5, type: 'a', due: 7 }), { leaseMs: 60_000 })
    expect(await space.engine.deadLetter(id, 'tried')).toBe(true)
    const lease = await space.write(Job({ id: 6, type: 'a', due: 8 }))
    await lease.cancel()
    expect(await space.takeIfExists(Job.template({ due: gt(0) }))).toBeNull()
    expect(await opened().violations()).toEqual([])
  })

  test('a writer that does not keep the order changes the order alone, even between two pages', async () => {
    const { space, other } = opened()
    await space.writeAll(Array.from({ length: 250 }, (_, id) => Job({ id, type: 'a', due: 250 - id })))
    const seen = new Set<number>()
    for await (const { id } of space.contents(Job.template({ due: gt(0) }))) {
      if (seen.size === 0) await other.write(defineEntry<Job>('Job')({ id: 250, type: 'a', due: 1_000 }))
      seen.add(id)
    }
    expect([...seen].sort((a, b) => a - b).slice(0, 250)).toEqual(Array.from({ length: 250 }, (_, id) => id))
    const taken = await space.takeAll([Job.template({ due: gt(0) })], { max: 1_000, waitMs: 0 })
    expect(taken).toHaveLength(251)
  })

  testInOnePartition('random ranges find what plain comparison finds, in order', async () => {
    const { space } = opened()
    const value = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer({ min: -3, max: 3 }))
    let round = 0
    await fc.assert(
      fc.asyncProperty(fc.array(value, { maxLength: 12 }), value, value, async (list, a, b) => {
        const type = `r${++round}`
        const [low, high] = a < b ? [a, b] : [b, a]
        if (list.length > 0) await space.writeAll(list.map((due, id) => Job({ id, type, due })))
        const expected = list
          .map((due, id) => ({ due, id }))
          .filter(({ due }) => due >= low && due <= high)
          .sort((x, y) => x.due - y.due || x.id - y.id)
        const found = await space.takeAll([Job.template({ type, due: between(low, high) })], { max: 100, waitMs: 0 })
        expect(found.map(({ id }) => id)).toEqual(expected.map(({ id }) => id))
      }),
      { numRuns: 40 },
    )
  })
})

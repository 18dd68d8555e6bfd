/** What count and explain promise: how many matches can be read now, and by which index a search for them goes. */
import { expect, test } from '@jest/globals'
import { absent, between, gt, lte, not, oneOf } from '../../src/entry/conditions.js'
import { ordered } from '../../src/entry/ordered.js'
import { AnyEntry, defineEntry } from '../../src/entry.js'
import { everyEngine, testInOnePartition } from '../support/every-engine.js'

type Job = { id: number; type: string; size: number; owner?: string }
const Job = defineEntry<Job>('Job', { index: ['type', 'owner', ['size', 'type']] })
const Urgent = Job.extend<{ by: Date }>('Urgent')

everyEngine('counting', (opened, engine) => {
  const jobs = (count: number): Promise<unknown> =>
    opened().space.writeAll(
      Array.from({ length: count }, (_, id) =>
        Job({ id, type: 'abcd'[id % 4]!, size: id % 100, owner: id % 2 ? 'me' : undefined } as Job),
      ),
    )

  test('count is the number of matches, by kind, value and condition', async () => {
    const { space, other } = opened()
    expect(await space.count(Job)).toBe(0)
    await jobs(1_200)
    await space.write(Urgent({ id: -1, type: 'a', size: 1_000, by: new Date(0) }))
    expect(await other.count(Job)).toBe(1_201)
    expect(await other.count(Urgent)).toBe(1)
    expect(await other.count(Job.template({ type: 'a' }))).toBe(301)
    expect(await other.count(Urgent.template({ type: 'a' }))).toBe(1)
    expect(await other.count(Job.template({ type: 'a', size: 4 }))).toBe(12)
    expect(await other.count(Job.template({ type: oneOf('a', 'b', 'x') }))).toBe(601)
    expect(await other.count(Job.template({ owner: absent(), size: gt(49) }))).toBe(301)
    expect(await other.count(Job.template({ type: not('a') }))).toBe(900)
    expect(await other.count(Job.template({ type: 'x' }))).toBe(0)
  })

  testInOnePartition('entries that others have read count, those that they have taken or written do not', async () => {
    const { space, other } = opened()
    await jobs(8)
    const tx = await space.begin()
    await space.read(Job.template({ id: 0 }), { tx })
    await space.take(Job.template({ id: 1 }), { tx })
    await space.write(Job({ id: 9, type: 'a', size: 0 }), { tx })
    expect(await other.count(Job)).toBe(7)
    expect(await other.count(Job.template({ size: lte(1) }))).toBe(1)
    await tx.commit()
    expect(await other.count(Job)).toBe(8)
    expect(await other.count(Job.template({ size: lte(1) }))).toBe(2)
  })

  test('explain names the index, how many entries it holds, and what is compared', async () => {
    const { space } = opened()
    await jobs(40)
    const all = { index: [], candidates: 40 }
    const cases: [template: Parameters<typeof space.explain<Job>>[0], onRedis: object, fields: string[]][] = [
      [Job, { ...all, checked: [] }, []],
      [Job.template({ type: 'a' }), { index: ['type'], candidates: 10, checked: [] }, ['type']],
      [Job.template({ type: 'a', id: gt(5) }), { index: ['type'], candidates: 10, checked: ['id'] }, ['id', 'type']],
      [Job.template({ type: 'a', size: 4 }), { index: ['size', 'type'], candidates: 1, checked: [] }, ['size', 'type']],
      [
        Job.template({ type: oneOf('a', 'b'), size: gt(4) }),
        { index: ['type'], candidates: 20, checked: ['size'] },
        ['size', 'type'],
      ],
      [
        Job.template({ owner: absent(), type: oneOf('a', 'b', 'c') }),
        { index: ['owner'], candidates: 20, checked: ['type'] },
        ['owner', 'type'],
      ],
      [Job.template({ size: gt(4) }), { ...all, checked: ['size'] }, ['size']],
    ]
    for (const [template, onRedis, fields] of cases) {
      const explained = await space.explain(template)
      const { index, candidates, checked } = explained
      expect([...index, ...checked].sort()).toEqual(fields)
      if (engine === 'redis') expect({ ...explained, checked: [...checked].sort() }).toEqual(onRedis)
      // In memory an index is made when there are enough entries for one.
      expect(candidates).toBeGreaterThanOrEqual(await space.count(template))
      expect(candidates).toBeLessThanOrEqual(40)
    }
  })

  testInOnePartition('in memory, too, a search among many looks at those of one value, or of one range', async () => {
    const { space } = opened()
    await jobs(400)
    expect(await space.explain(Job.template({ type: 'a' }))).toEqual({ index: ['type'], candidates: 100, checked: [] })
    const Timed = defineEntry<{ due: number; type: string }>('Timed', { index: ['type', ordered('due')] })
    await space.writeAll(Array.from({ length: 400 }, (_, due) => Timed({ due, type: 'a' })))
    const explained = await space.explain(Timed.template({ due: between(5, 9), type: 'a' }))
    expect(explained).toEqual({ index: ['due'], candidates: 5, checked: ['type'] })
    expect(await space.count(Timed.template({ due: between(5, 9), type: 'a' }))).toBe(5)
  })

  test('AnyEntry is refused: each kind has its own indexes', async () => {
    const { space } = opened()
    const refused = { code: 'INVALID_ARGUMENT', message: expect.stringContaining('wants a kind') }
    await expect(space.count(AnyEntry as never)).rejects.toMatchObject(refused)
    await expect(space.explain(AnyEntry.template({ a: 1 }) as never)).rejects.toMatchObject(refused)
    await space.close()
    await expect(space.count(Job)).rejects.toMatchObject({ code: 'SPACE_CLOSED' })
    await expect(space.explain(Job)).rejects.toMatchObject({ code: 'SPACE_CLOSED' })
  })
})

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
    const by = (index: string[], candidates: number): object => (engine === 'redis' ? { index, candidates } : all)
    const checked = (...fields: string[]): string[] => fields.sort()
    const explain = async (template: Parameters<typeof space.explain<Job>>[0]): Promise<object> => {
      const { index, candidates, checked: fields } = await space.explain(template)
      return { index, candidates, checked: [...fields].sort() }
    }
    const inMemory = engine === 'memory'
    expect(await explain(Job)).toEqual({ ...all, checked: [] })
    expect(await explain(Job.template({ type: 'a' }))).toEqual({
      ...by(['type'], 10),
      checked: checked(...(inMemory ? ['type'] : [])),
    })
    expect(await explain(Job.template({ type: 'a', id: gt(5) }))).toEqual({
      ...by(['type'], 10),
      checked: checked('id', ...(inMemory ? ['type'] : [])),
    })
    expect(await explain(Job.template({ type: 'a', size: 4 }))).toEqual({
      ...by(['size', 'type'], 1),
      checked: checked(...(inMemory ? ['size', 'type'] : [])),
    })
    expect(await explain(Job.template({ type: oneOf('a', 'b'), size: gt(4) }))).toEqual({
      ...by(['type'], 20),
      checked: checked('size', ...(inMemory ? ['type'] : [])),
    })
    expect(await explain(Job.template({ owner: absent(), type: oneOf('a', 'b', 'c') }))).toEqual({
      ...by(['owner'], 20),
      checked: checked('type', ...(inMemory ? ['owner'] : [])),
    })
    expect(await explain(Job.template({ size: gt(4) }))).toEqual({ ...all, checked: ['size'] })
  })

  test('explain names an ordered field with a comparison, and the entries in its range', async () => {
    const { space } = opened()
    const Timed = defineEntry<{ due: number; type: string }>('Timed', { index: ['type', ordered('due')] })
    await space.writeAll(Array.from({ length: 40 }, (_, due) => Timed({ due, type: 'a' })))
    const explained = await space.explain(Timed.template({ due: between(5, 9), type: 'a' }))
    if (engine === 'redis') expect(explained).toEqual({ index: ['due'], candidates: 5, checked: ['type'] })
    else expect(explained.checked).toEqual(['type', 'due'])
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

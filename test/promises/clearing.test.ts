/** clear: all free matches are gone, and nothing else. */
import { expect, test } from '@jest/globals'
import { gte, oneOf } from '../../src/entry/conditions.js'
import { ordered } from '../../src/entry/ordered.js'
import { AnyEntry, defineEntry } from '../../src/entry.js'
import { everyEngine } from '../support/every-engine.js'
import { Other } from '../support/kinds.js'

const Job = defineEntry<{ id: number; type: string; note?: string }>('ClearedJob', { index: ['type', ordered('id')] })
const Urgent = Job.extend<{ by?: number }>('ClearedUrgent')

everyEngine('clearing', (opened) => {
  const jobs = (count: number): Promise<unknown> =>
    opened().space.writeAll(
      Array.from({ length: count }, (_, id) => (id % 5 ? Job : Urgent)({ id, type: 'ab'[id % 2]! })),
    )

  test('all matches go, by kind, value and condition, however many there are', async () => {
    const { space, other } = opened()
    await jobs(700)
    await space.write(Other({ id: 'o' }))
    expect(await other.clear(Job.template({ id: gte(600) }))).toBe(100)
    expect(await other.clear(Urgent.template({ type: 'a' }))).toBe(60)
    expect(await other.clear(Urgent.template({ type: 'a' }))).toBe(0)
    expect(await other.clear(Job.template({ type: oneOf('a', 'c') }))).toBe(240)
    expect(await space.count(Job)).toBe(300)
    expect(await other.clear(Job)).toBe(300)
    expect(await space.count(Job)).toBe(0)
    await jobs(3)
    expect(await other.clear(AnyEntry)).toBe(4)
    expect(await space.readIfExists(AnyEntry)).toBeNull()
  })

  test('what transactions hold stays: what they have taken, read, written and changed', async () => {
    const { space, other } = opened()
    await jobs(5)
    const tx = await space.begin({ span: 'all' })
    await space.take(Job.template({ id: 0 }), { tx })
    await space.read(Job.template({ id: 1 }), { tx })
    await space.update(Job.template({ id: 2 }), { set: { note: 'x' } }, { tx })
    await space.write(Job({ id: 9, type: 'a' }), { tx })
    expect(await other.clear(Job)).toBe(2)
    await tx.abort()
    expect(await other.count(Job)).toBe(3)
    expect(await other.clear(Job)).toBe(3)
  })

  test('large entries go with their bodies, and a closed space refuses', async () => {
    const { space, other, violations } = opened()
    await space.write(Job({ id: 1, type: 'a', note: 'x'.repeat(5_000) }))
    expect(await other.clear(Job)).toBe(1)
    expect(await violations()).toEqual([])
    await expect(space.clear('Job' as never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await space.close()
    await expect(space.clear(Job)).rejects.toMatchObject({ code: 'SPACE_CLOSED' })
  })
})

/** What contents promises: all that stays, nothing twice, nothing taken; locked under a transaction; and once over, over. */
import { expect, test } from '@jest/globals'
import { everyEngine, testInOnePartition } from '../support/every-engine.js'
import { BigTask, Other, Task } from '../support/kinds.js'
import { until } from '../support/until.js'

everyEngine('contents', (opened) => {
  const names = async (iterable: AsyncIterable<{ id: string }>): Promise<string[]> => {
    const found: string[] = []
    for await (const { id } of iterable) found.push(id)
    return found
  }

  test('all that matches comes once, the best first, and stays', async () => {
    const { space, other } = opened()
    const ids = Array.from({ length: 250 }, (_, i) => `t${i}`)
    await other.writeAll(ids.map((id) => Task({ id, type: 'x' })))
    await other.write(BigTask({ id: 'urgent', type: 'x', shards: 1 }), { priority: 5 })
    await other.writeAll([Task({ id: 'no', type: 'y' }), Other({ id: 'other' })])
    expect(await names(space.contents(Task.template({ type: 'x' })))).toEqual(['urgent', ...ids])
    expect(await names(space.contents(Task, { max: 120 }))).toHaveLength(120)
    expect(await other.takeAll([Task], { max: 1_000, waitMs: 0 })).toHaveLength(252)
  })

  test('misses nothing that stays and yields nothing twice while others write, take and give back', async () => {
    const { space, other } = opened()
    await other.writeAll(
      Array.from({ length: 500 }, (_, i) => Task({ id: `t${i}`, type: i % 3 === 0 ? 'go' : 'stay' })),
    )
    const seen: string[] = []
    for await (const { id } of space.contents(Task)) {
      seen.push(id)
      if (seen.length % 25 !== 0) continue
      await other.takeIfExists(Task.template({ type: 'go' }))
      await other.write(Task({ id: `new${seen.length}`, type: 'new' }))
      const tx = await other.begin()
      await other.takeIfExists(Task.template({ id: `t${499 - Math.floor(seen.length / 3)}` }), { tx })
      await tx.abort()
    }
    expect(new Set(seen).size).toBe(seen.length)
    for (let i = 0; i < 500; i++) if (i % 3 !== 0) expect(seen).toContain(`t${i}`)
  })

  test('once it is over it stays so, whatever is written', async () => {
    const { space } = opened()
    await space.write(Task({ id: 'a' }))
    const contents = space.contents(Task)
    expect((await contents.next()).value).toEqual({ id: 'a' })
    expect((await contents.next()).done).toBe(true)
    await space.write(Task({ id: 'b' }))
    expect((await contents.next()).done).toBe(true)
  })

  testInOnePartition(
    'under a transaction what it yields is locked until that ends, also when nobody asks on',
    async () => {
      const { space, other } = opened()
      await other.writeAll([Task({ id: 'a' }), Task({ id: 'b' })])
      const tx = await space.begin()
      await space.write(Task({ id: 'own' }), { tx })
      expect(await names(space.contents(Task, { tx }))).toEqual(['a', 'b', 'own'])
      expect(await names(other.contents(Task))).toEqual(['a', 'b'])
      expect(await other.takeIfExists(Task)).toBeNull()
      const waiting = other.take(Task.template({ id: 'b' }))
      await tx.commit()
      expect(await waiting).toEqual({ id: 'b' })
      expect(await other.takeAll([Task], { waitMs: 0 })).toEqual([{ id: 'a' }, { id: 'own' }])
    },
  )

  test('what others have read comes, what they have taken or not yet committed does not', async () => {
    const { space, other } = opened()
    await space.writeAll(['a', 'b', 'c', 'd'].map((id) => Task({ id })))
    const tx = await other.begin()
    await other.read(Task.template({ id: 'b' }), { tx })
    await other.take(Task.template({ id: 'c' }), { tx })
    await other.write(Task({ id: 'e' }), { tx })
    expect(await names(space.contents(Task))).toEqual(['a', 'b', 'd'])
    await tx.abort()
    expect(await names(space.contents(Task))).toEqual(['a', 'b', 'c', 'd'])
  })

  test('its lease ends it, and bad arguments are refused', async () => {
    const { space } = opened()
    await space.writeAll([Task({ id: 'a' }), Task({ id: 'b' })])
    const contents = space.contents(Task, { leaseMs: 200 })
    await contents.next()
    const later = performance.now() + 220
    await until(() => performance.now() > later, 'the lease to end')
    await expect(contents.next()).rejects.toMatchObject({ code: 'LEASE_UNKNOWN' })
    const wrong = { code: 'INVALID_ARGUMENT' }
    await expect(space.contents(Task, { max: 0 }).next()).rejects.toMatchObject(wrong)
    await expect(space.contents(Task, { leaseMs: 0 }).next()).rejects.toMatchObject(wrong)
    await expect(space.contents([] as never).next()).rejects.toMatchObject(wrong)
    for (const fields of [[], 'id', [1], Array(1_001).fill('id')]) {
      await expect(space.contents(Task, { fields: fields as never }).next()).rejects.toMatchObject(wrong)
    }
    await expect(space.contents({} as never).next()).rejects.toMatchObject(wrong)
  })
})

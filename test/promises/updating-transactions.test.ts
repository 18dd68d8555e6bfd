/** update under transactions: others see a change when it is committed, and nothing of one that is not. */
import { expect, test } from '@jest/globals'
import { entryInfo } from '../../src/entry.js'
import type { Space } from '../../src/space.js'
import { everyEngine, testInOnePartition } from '../support/every-engine.js'
import { pending } from '../support/pending.js'
import { by, Counter, LARGE, Nothing, told } from './counters.js'

everyEngine('updating under transactions', (opened) => {
  const none = () => opened().space.readIfExists(Nothing)
  const now = { waitMs: 0 }

  test('under a transaction others see neither contents, and the new ones after the commit', async () => {
    const { space, other } = opened()
    await space.write(Counter({ id: 'a', count: 1, state: 'x' }))
    const changed = await told(opened(), { on: 'changed' })
    const written = await told(opened(), { on: 'written' })
    const available = await told(opened(), { on: 'available' })
    const tx = await space.begin()
    expect(await space.update(by('a'), { increment: { count: 1 } }, { tx })).toMatchObject({ count: 2 })
    expect(await space.update(by('a'), { increment: { count: 1 }, unset: ['state'] }, { tx })).toMatchObject({
      count: 3,
    })
    expect(await other.readIfExists(Counter)).toBeNull()
    expect(await other.takeIfExists(Counter)).toBeNull()
    expect(await space.readIfExists(by('a'), { tx })).toEqual({ id: 'a', count: 3 })
    expect(await space.readIfExists(Counter.template({ state: 'x' }), { tx })).toBeNull()
    const waiting = other.takeIfExists(by('a'), { waitMs: 60_000 })
    expect(await pending(waiting, none)).toBe(true)
    const after = other.read(by('a'))
    await tx.commit()
    expect(await waiting).toEqual({ id: 'a', count: 3 })
    expect(await after).toEqual({ id: 'a', count: 3 })
    expect(await changed(1)).toEqual([3])
    expect(await available(1)).toEqual([3])
    expect(await written(0)).toEqual([])
  })

  test('an abort puts the former contents back: id, place, fields; also after a take, also of a renewed lease', async () => {
    const { space, other, violations } = opened()
    const lease = await space.write(Counter({ id: 'a', count: 1, note: LARGE }), { leaseMs: 60_000 })
    for (const isTaken of [false, true]) {
      const tx = await space.begin()
      await space.read(by('a'), { tx })
      await space.update(by('a'), { increment: { count: 1 }, set: { note: 'small' } }, { tx })
      expect(await violations()).toEqual([])
      if (isTaken) expect(await space.take(by('a'), { tx })).toEqual({ id: 'a', count: 2, note: 'small' })
      await lease.renew(120_000)
      await tx.abort()
      const back = await other.read(by('a'))
      expect(back).toEqual({ id: 'a', count: 1, note: LARGE })
      expect(entryInfo(back).id).toBe(lease.id)
      expect(entryInfo(back).leaseMs).toBeGreaterThan(60_000)
    }
    const tx = await space.begin()
    await space.update(by('a'), { set: { note: `${LARGE}!` } }, { tx })
    await lease.cancel()
    await tx.abort()
    expect(await other.readIfExists(Counter)).toBeNull()
    expect(await violations()).toEqual([])
  })

  testInOnePartition(
    'what a transaction has written it can change, and that is one write; what it changed and took is gone',
    async () => {
      const { space, other } = opened()
      const written = await told(opened(), { on: 'written' })
      const changed = await told(opened(), { on: 'changed' })
      await space.write(Counter({ id: 'b', count: 7 }))
      const tx = await space.begin()
      await space.write(Counter({ id: 'a', count: 1 }), { tx })
      await space.update(by('a'), { increment: { count: 1 } }, { tx })
      await space.update(by('b'), { increment: { count: 1 } }, { tx })
      expect(await space.take(by('b'), { tx })).toMatchObject({ count: 8 })
      await tx.commit()
      expect(await written(2)).toEqual([7, 2])
      expect(await changed(0)).toEqual([])
      expect(await other.readIfExists(by('b'))).toBeNull()
      expect(await other.take(by('a'))).toMatchObject({ count: 2 })
    },
  )

  testInOnePartition('a transaction may change any number of entries: all of them, or none', async () => {
    const { space, other, violations } = opened()
    const MANY = 320
    await space.writeAll(Array.from({ length: MANY }, (_, i) => Counter({ id: `${i}`, count: 0 })))
    const changed = await told(opened(), { on: 'changed' })
    const written = await told(opened(), { on: 'written' })
    for (const isCommitted of [false, true]) {
      const tx = await space.begin({ leaseMs: 60_000 })
      const all = Array.from({ length: MANY }, (_, i) => space.update(by(`${i}`), { increment: { count: 1 } }, { tx }))
      await Promise.all(all)
      for (let i = 0; i < MANY; i += 10) await space.take(by(`${i}`), { tx })
      expect(await other.count(Counter)).toBe(0)
      await (isCommitted ? tx.commit() : tx.abort())
      expect(await violations()).toEqual([])
      const counts = (await other.takeAll([Counter], { max: MANY })).map(({ count }) => count)
      if (isCommitted) expect(counts).toEqual(Array(MANY - MANY / 10).fill(1))
      else expect(counts).toEqual(Array(MANY).fill(0))
      if (!isCommitted) await space.writeAll(counts.map((count, i) => Counter({ id: `${i}`, count })))
    }
    expect(await changed(MANY - MANY / 10)).toEqual(Array(MANY - MANY / 10).fill(1))
    expect(await written(MANY)).toEqual(Array(MANY).fill(0))
  })

  test('an entry that another transaction has read, taken or changed is not there', async () => {
    const { space, other } = opened()
    await space.write(Counter({ id: 'a', count: 1 }))
    const set = { set: { count: 9 } }
    const use: readonly ((tx: { tx: Awaited<ReturnType<Space['begin']>> }) => Promise<unknown>)[] = [
      (tx) => other.read(by('a'), tx),
      (tx) => other.take(by('a'), tx),
      (tx) => other.update(by('a'), { set: { count: 5 } }, tx),
    ]
    for (const each of use) {
      const tx = await other.begin()
      await each({ tx })
      expect(await space.update(by('a'), set, now)).toBeNull()
      await tx.abort()
    }
    expect(await space.update(by('a'), set, now)).toEqual({ id: 'a', count: 9 })
  })

  test('the transaction whose lease ends leaves the former contents', async () => {
    const { space, other } = opened()
    await space.write(Counter({ id: 'a', count: 1 }))
    const tx = await space.begin({ leaseMs: 300 })
    await space.update(by('a'), { set: { count: 9 } }, { tx })
    expect(await other.take(by('a'))).toEqual({ id: 'a', count: 1 })
    await expect(tx.commit()).rejects.toMatchObject({ code: 'TRANSACTION_ENDED' })
  })
})

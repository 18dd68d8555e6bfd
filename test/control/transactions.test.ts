/** Transactions as operators see them: those of all processes, with what they keep from others; and their end. */
import { expect, test } from '@jest/globals'
import { processesIn } from '../../src/control/processes.js'
import { abortTransaction, transactionsIn } from '../../src/control/transactions.js'
import { defineEntry } from '../../src/index.js'
import { everyEngine } from '../support/every-engine.js'
import { until } from '../support/until.js'

interface Thing {
  readonly id: string
  readonly group: string
}
// In several partitions a transaction is within one.
const Job = defineEntry<Thing>('Job', { partition: 'group' })
const Done = defineEntry<Thing>('Done', { partition: 'group' })
const group = 'g'

everyEngine('transactions of all processes', (opened) => {
  test('one is listed with its owner, its lease and what it holds, and aborted', async () => {
    const { space, other } = opened()
    const seen = async () => transactionsIn(space, await processesIn(space), 10)
    expect(await seen()).toEqual([])
    for (const id of ['a', 'b', 'c']) await space.write(Job({ id, group }))
    const tx = await other.begin({ leaseMs: 60_000 })
    await other.take(Job.template({ id: 'a', group }), { tx, waitMs: 0 })
    await other.read(Job.template({ id: 'b', group }), { tx, waitMs: 0 })
    await other.write(Done({ id: 'd', group }), { tx })
    const [only, ...more] = await seen()
    expect(more).toEqual([])
    expect(only).toMatchObject({ presence: other.presence, owner: '', state: 'open', held: 2, written: 1 })
    expect([...only!.kinds].sort()).toEqual(['Done', 'Job'])
    expect(only!.remainingMs > 0 && only!.remainingMs <= 60_000).toBe(true)

    expect(await abortTransaction(space, only!.id)).toBe(true)
    expect(await space.take(Job.template({ id: 'a', group }), { waitMs: 5_000 })).toMatchObject({ id: 'a' })
    expect(await space.take(Job.template({ id: 'b', group }), { waitMs: 5_000 })).toMatchObject({ id: 'b' })
    expect(await space.readIfExists(Done.template({ group }))).toBeNull()
    await until(() => tx.signal.aborted, 'its owner is told')
    await expect(tx.commit()).rejects.toMatchObject({ code: 'TRANSACTION_ENDED' })
    expect(await abortTransaction(space, only!.id)).toBe(false)
    expect(await seen()).toEqual([])
  })

  test('the one whose lease ends first is the first, and no more are listed than are asked for', async () => {
    const { space, other } = opened()
    await space.write(Job({ id: 'a', group }))
    const leases = [50_000, 30_000, 40_000]
    const all = await Promise.all(leases.map((leaseMs) => other.begin({ leaseMs })))
    for (const tx of all) await other.read(Job.template({ group }), { tx, waitMs: 0 })
    const [first, second, ...more] = await transactionsIn(space, [], 2)
    expect(more).toEqual([])
    expect(first!.remainingMs).toBeLessThanOrEqual(30_000)
    expect(second!.remainingMs).toBeLessThanOrEqual(40_000)
    expect(second!.remainingMs).toBeGreaterThan(first!.remainingMs)
    for (const tx of all) await tx.abort()
  })

  test('an id that none has, or that is no id, ends nothing', async () => {
    const { space } = opened()
    for (const id of ['', 'none', '0:none', '99:x', ':']) expect(await abortTransaction(space, id)).toBe(false)
  })
})

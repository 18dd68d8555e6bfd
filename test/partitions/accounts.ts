/** Transfers between accounts in three partitions, and how to see that each was made as a whole or not at all. */
import { defineEntry } from '../../src/entry.js'
import type { Transaction } from '../../src/space/transaction.js'
import type { Space } from '../../src/space.js'
import { laneOf } from './lanes.js'

/** `lane` decides the partition; each transfer has an account of its own in each. */
export const Account = defineEntry<{ transfer: string; lane: string; balance: number }>('Account', {
  partition: 'lane',
})

export const LANES = [laneOf(0, 3), laneOf(1, 3), laneOf(2, 3)] as const

/** Opens the accounts of a transfer. */
export const openAccounts = (space: Space, transfer: string): Promise<unknown> =>
  Promise.all(LANES.map((lane) => space.write(Account({ transfer, lane, balance: 10 }))))

const of = (transfer: string, lane: string) => Account.template({ transfer, lane })

/** Moves 2 from the first account, 1 to each of the others. The first partition with an effect is that of the first. */
export async function moveAll(space: Space, tx: Transaction, transfer: string): Promise<void> {
  for (const [i, lane] of LANES.entries()) {
    const { balance } = await space.take(of(transfer, lane), { tx })
    await space.write(Account({ transfer, lane, balance: balance + (i === 0 ? -2 : 1) }), { tx })
  }
}

/** Takes the accounts of a transfer as soon as no transaction holds them. Throws if half of it was made. */
export async function outcomeOf(space: Space, transfer: string): Promise<'all' | 'nothing'> {
  const taken = await Promise.all(LANES.map((lane) => space.take(of(transfer, lane))))
  const balances = taken.map(({ balance }) => balance).join(' ')
  if (balances === '8 11 11') return 'all'
  if (balances === '10 10 10') return 'nothing'
  throw new Error(`transfer ${transfer} was made by half: ${balances}`)
}

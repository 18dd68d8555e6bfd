/** Transactions as operators see them: whose they are, how long they last, and what they keep from others; and their end. */
import type { SeenTransaction } from '../engine.js'
import type { Space } from '../space.js'
import type { ProcessReport } from './kinds.js'

/** A transaction with the process that has begun it. */
export interface ShownTransaction extends SeenTransaction {
  /** Its host and pid; '' if the process does not tell of itself, such as a program. */
  readonly owner: string
}

/** Returns the transactions of all processes, the one whose lease ends first first; at most `max`. */
export async function transactionsIn(
  space: Space,
  processes: readonly ProcessReport[],
  max: number,
): Promise<ShownTransaction[]> {
  const seen = await space.engine.transactions.list(max)
  return seen.map((each) => {
    const report = processes.find(({ process }) => process === each.presence)
    return { ...each, owner: report ? `${report.pid} of ${report.host}` : '' }
  })
}

/**
 * Aborts a transaction of any process: its lease ends, its owner is told.
 *
 * @param id as in the list
 * @returns false if it is not open
 */
export const abortTransaction = (space: Space, id: string): Promise<boolean> => space.engine.transactions.expire(id)

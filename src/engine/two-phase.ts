/**
 * Two-phase commits: the part of an engine's contract for transactions that have effects in several partitions
 * (docs/decisions/0027). Each partition is an engine of its own, and has a transaction of its own for its effects. One of
 * them decides, the others are prepared for its decision.
 */

/** A transaction in another partition. */
export interface ElsewhereTransaction {
  readonly partition: number
  readonly tx: string
}

/**
 * committed: it is to be committed; open: the deciding transaction is open; ended: it has ended, or what it decided was
 * carried out already.
 */
export type Decision = 'committed' | 'open' | 'ended'

/** What a process that is no longer there may have left: `isDecided` tells which of the two transactions `tx` is. */
export interface Unfinished {
  /** A transaction of this partition. */
  readonly tx: string
  readonly other: ElsewhereTransaction
  /** True: `tx` was committed, and `other` is to be committed. False: `tx` is prepared, and `other` decides. */
  readonly isDecided: boolean
}

export interface TwoPhase {
  /**
   * Prepares a transaction: from now on only settle() ends it. Operations under it are refused, its effects stay hidden.
   * @throws SpaceError TRANSACTION_ENDED
   */
  prepare(tx: string, decider: ElsewhereTransaction): Promise<void>
  /**
   * Commits a transaction, and records in the same step that the others have to be committed.
   * @throws SpaceError TRANSACTION_ENDED, OUTCOME_UNKNOWN
   */
  decide(tx: string, others: readonly ElsewhereTransaction[]): Promise<void>
  /** Ends a prepared transaction. Does nothing if it was settled before. */
  settle(tx: string, decider: ElsewhereTransaction, isCommitted: boolean): Promise<void>
  /** Returns the decision of a transaction on a prepared one of another partition. */
  decisionOn(tx: string, other: ElsewhereTransaction): Promise<Decision>
  /** Forgets the decision on another transaction, which has been committed. */
  forget(tx: string, other: ElsewhereTransaction): Promise<void>
  /**
   * Calls `onUnfinished` for what has been prepared, or decided, for a second: in one process at a time, and again while
   * it is unfinished.
   */
  watch(onUnfinished: (unfinished: Unfinished) => void): void
}

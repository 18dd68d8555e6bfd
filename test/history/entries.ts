/** The entries of a history: for each value that was ever written, all that was done to it. The checks of entries stand on this. */
import { groupBy, type History, type Operation } from './history.js'

export interface EntryLife {
  readonly value: string
  readonly group: string
  /** Whether it was ever there: yes, no, or nobody was told. */
  readonly exists: 'yes' | 'no' | 'maybe'
  /** It cannot have been there before, and was there from then on (if it exists). */
  readonly earliest: number
  readonly latest: number
  /** ms that its write asked for. */
  readonly leaseMs: number
  readonly written: Operation
  /** Operations that certainly met it: finds, renewals, cancels. */
  readonly met: readonly Operation[]
  /** Of these, takes and cancels: what ended it. With the transaction's commit in the place of a take under it. */
  readonly ends: readonly Operation[]
  /** May have ended it. */
  readonly mayEnd: readonly Operation[]
  readonly renewals: readonly Operation[]
  /** Of what was written under a transaction. */
  readonly tx: Transaction | undefined
}

export interface Transaction {
  readonly id: string
  readonly p: string
  /** no: aborted, or its owner died before it could commit. */
  readonly committed: 'yes' | 'no' | 'maybe'
  /** Commit or abort; absent if its owner died before. */
  readonly end: Operation | undefined
  readonly takes: readonly Operation[]
  readonly writes: readonly Operation[]
}

export interface Entries {
  readonly lives: ReadonlyMap<string, EntryLife>
  readonly transactions: ReadonlyMap<string, Transaction>
  /** Finds outside of transactions that met a value which nobody ever wrote. */
  readonly invented: readonly Operation[]
  /** Takes of which nobody knows whether they took something, also under transactions that have committed or may have. */
  readonly unknownTakes: readonly Operation[]
}

const isFound = ({ what, out }: Operation): boolean => (what === 'take' || what === 'read') && out === 'ok'

/** A transaction whose commit was cut off has committed if anybody but its owner has met what it wrote. */
function transactionOf(
  id: string,
  operations: readonly Operation[],
  found: ReadonlyMap<string | undefined, readonly Operation[]>,
): Transaction {
  const end = operations.find(({ what }) => what === 'commit' || what === 'abort')
  const writes = operations.filter(({ what }) => what === 'write')
  const takes = operations.filter((operation) => operation.what === 'take' && isFound(operation))
  let committed: Transaction['committed'] = 'no'
  if (end?.what === 'commit' && end.out === 'ok') committed = 'yes'
  if (end?.what === 'commit' && end.out === 'unknown') {
    const seen = writes.some(({ values = [] }) => values.some((value) => found.get(value)?.some(({ tx }) => tx !== id)))
    committed = seen ? 'yes' : 'maybe'
  }
  return { id, p: operations[0]!.p, committed, end, takes, writes }
}

export function entriesOf({ operations }: History): Entries {
  const found = groupBy(operations.filter(isFound), ({ value }) => value)
  const transactions = new Map(
    [...groupBy(operations, ({ tx }) => tx)].map(([id, own]) => [id, transactionOf(id, own, found)]),
  )
  const about = groupBy(
    operations.filter((operation) => isFound(operation) || ['renew', 'cancel'].includes(operation.what)),
    ({ value }) => value,
  )
  const lives = new Map<string, EntryLife>()
  for (const written of operations) {
    if (written.what !== 'write') continue
    const tx = written.tx === undefined ? undefined : transactions.get(written.tx)
    for (const value of written.values!)
      lives.set(value, lifeOf(value, written, tx, about.get(value) ?? [], transactions))
  }
  return {
    lives,
    transactions,
    invented: operations.filter((operation) => isFound(operation) && !lives.has(operation.value!)),
    unknownTakes: operations
      .filter(({ what, out }) => what === 'take' && out === 'unknown')
      .flatMap((take) => takenIn(take, take.tx === undefined ? undefined : transactions.get(take.tx))),
  }
}

/** A take whose answer was cut off has taken nothing if it was under a transaction that did not commit; else perhaps until its end. */
function takenIn(take: Operation, tx: Transaction | undefined): Operation[] {
  if (!tx) return [take]
  return tx.committed === 'no' ? [] : [{ ...take, returned: tx.end!.returned }]
}

function lifeOf(
  value: string,
  written: Operation,
  tx: Transaction | undefined,
  about: readonly Operation[],
  transactions: ReadonlyMap<string, Transaction>,
): EntryLife {
  const ends: Operation[] = []
  const mayEnd: Operation[] = []
  for (const operation of about) {
    if (operation.what === 'cancel') {
      if (operation.out === 'ok') ends.push(operation)
      if (operation.out === 'unknown') mayEnd.push(operation)
    } else if (operation.what === 'take') {
      const under = operation.tx === undefined ? undefined : transactions.get(operation.tx)
      if (!under) ends.push(operation)
      // It is gone when that commits, and was held since the take.
      else if (under.committed === 'yes') ends.push({ ...operation, returned: under.end!.returned })
      else if (under.committed === 'maybe') mayEnd.push({ ...operation, returned: under.end!.returned })
    }
  }
  // Locks don't stop leases: what a transaction has taken can still be cancelled, and it commits all the same.
  const taken = [...ends, ...mayEnd].filter(({ tx }) => tx !== undefined)
  const isUnder = (cancel: Operation): boolean =>
    cancel.what === 'cancel' &&
    taken.some(({ invoked, returned }) => cancel.returned > invoked && cancel.invoked < returned)
  const { out } = written
  const own: EntryLife['exists'] = out === 'ok' ? 'yes' : out === 'unknown' ? 'maybe' : 'no'
  return {
    value,
    group: written.group!,
    exists: tx ? (own === 'no' ? 'no' : tx.committed) : own,
    earliest: tx?.end?.invoked ?? written.invoked,
    latest: tx?.end?.returned ?? written.returned,
    leaseMs: written.leaseMs!,
    written,
    met: about.filter((operation) => operation.out === 'ok' && (operation.tx === undefined || operation.tx !== tx?.id)),
    ends: ends.filter((end) => !isUnder(end)),
    mayEnd,
    renewals: about.filter(({ what }) => what === 'renew'),
    tx,
  }
}

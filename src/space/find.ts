/** Finds: the options of reads and takes, and the check of matches against their schema. */
import type { Engine, Stored } from '../engine.js'
import { entryOf, Nonconforming } from '../entry/nonconforming.js'
import type { Template } from '../entry/template.js'
import type { Entry } from '../entry.js'
import { onlyKnown } from '../errors/unknown-option.js'
import { SpaceError } from '../errors.js'
import { endOfLongTurn } from '../runtime/long-turn.js'
import { checkedLease } from './lease.js'
import { Transaction } from './transaction.js'

export interface FindOptions {
  /** How long to wait for a match, in ms. Default of read and take: Infinity. 0 = do not wait. */
  readonly waitMs?: number | undefined
  /** Ends the wait: the call rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined
  /**
   * A transaction. Others do not see a taken entry until it ends, and again if it aborts; others cannot take an entry
   * that was read.
   */
  readonly tx?: Transaction | undefined
}

/** The options of a wait that ends only with a match: without `waitMs`. */
export type EndlessFindOptions = Omit<FindOptions, 'waitMs'> & { readonly waitMs?: undefined }

const OPTIONS: ReadonlySet<string> = new Set(['waitMs', 'signal', 'tx'])

export interface FindTerms extends FindOptions {
  readonly take: boolean
  readonly waitMs: number
  readonly ifExists?: boolean
}

/** Returns the options with their defaults. Throws INVALID_ARGUMENT for an unknown option or an invalid wait. */
export function checkedFind(what: string, options: FindOptions, defaultWaitMs: number): Omit<FindTerms, 'take'> {
  const { waitMs = defaultWaitMs, signal, tx } = onlyKnown(what, options, OPTIONS)
  checkedWait(waitMs, signal)
  return { waitMs, signal, tx }
}

/** @internal Throws INVALID_ARGUMENT unless it is an open transaction of this engine's space. */
export function checkTransaction(tx: Transaction | undefined, engine: Engine): void {
  if (tx === undefined) return
  if (!(tx instanceof Transaction)) throw new SpaceError('INVALID_ARGUMENT', 'tx is what space.begin returned.')
  tx.check()
  if (!tx.isOf(engine)) throw new SpaceError('INVALID_ARGUMENT', 'tx is of another space.')
}

export function checkedWait(waitMs: number, signal: AbortSignal | undefined): void {
  checkedLease(waitMs, 'waitMs')
  if (signal !== undefined && typeof signal?.throwIfAborted !== 'function') {
    throw new SpaceError('INVALID_ARGUMENT', 'signal is an AbortSignal.')
  }
}

/** Returns what a find returns, in a later turn if the present one has been long. */
async function inTime<T>(find: Promise<T>): Promise<T> {
  try {
    return await find
  } finally {
    const next = endOfLongTurn()
    if (next) await next
  }
}

/** @internal Returns the best match that conforms to its schema, within the wait. */
export async function search(
  engine: Engine,
  { encoded, definition }: Template<object>,
  { take, waitMs, signal, tx, ifExists = false }: FindTerms,
  report: (stored: Stored, nonconforming: Nonconforming) => void,
): Promise<Entry | null> {
  signal?.throwIfAborted()
  let found: Entry | null = null
  let nonconforming: Nonconforming
  const conforms = async (stored: Stored): Promise<boolean> => {
    const entry = await checkedEntry(stored, definition)
    if (entry instanceof Nonconforming) nonconforming = entry
    else found = entry
    return !(entry instanceof Nonconforming)
  }
  const onNonconforming = (stored: Stored): void => report(stored, nonconforming)
  const find = { template: encoded, take, waitMs, ifExists, conforms, onNonconforming }
  const stored = await inTime(
    tx
      ? tx.find(signal, (ends) => engine.find({ ...find, tx: tx.id, signal: ends }))
      : engine.find({ ...find, signal }),
  )
  // A conforming entry may have been lost before it was acknowledged.
  return stored && found
}

/** @internal Takes the matches that are there and conform to their schema, best first, at most `most`. */
export async function takeMany(
  engine: Engine,
  { encoded, definition }: Template<object>,
  most: number,
  tx: Transaction | undefined,
  report: (stored: Stored, nonconforming: Nonconforming) => void,
): Promise<Entry[]> {
  const seen = new Map<Stored, Entry | Nonconforming>()
  const conforms = async (stored: Stored): Promise<boolean> => {
    const entry = await checkedEntry(stored, definition)
    seen.set(stored, entry)
    return !(entry instanceof Nonconforming)
  }
  const onNonconforming = (stored: Stored): void => report(stored, seen.get(stored) as Nonconforming)
  const find = { template: encoded, take: true, waitMs: 0, conforms, onNonconforming }
  const taken = await inTime(
    tx ? tx.find(undefined, () => engine.takeMany({ ...find, tx: tx.id }, most)) : engine.takeMany(find, most),
  )
  return taken.map((stored) => seen.get(stored) as Entry)
}

/**
 * @internal Returns the entry, or why it is none.
 * @throws SpaceError INVALID_ENTRY if the schema throws: that says nothing of the entry
 */
export async function checkedEntry(
  stored: Stored,
  definition: Template<object>['definition'],
): Promise<Entry | Nonconforming> {
  const entry = await entryOf(stored, definition)
  if (entry instanceof Nonconforming && entry.thrown !== undefined) {
    throw new SpaceError('INVALID_ENTRY', `The schema of ${definition.kind} threw.`, { cause: entry.thrown })
  }
  return entry
}

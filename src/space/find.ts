/** Finding: what a read or take may be told, and how it goes on until a match is what its kind says. */
import type { Engine, Stored } from '../engine.js'
import { entryOf, Nonconforming } from '../entry/nonconforming.js'
import type { Template } from '../entry/template.js'
import type { Entry } from '../entry.js'
import { onlyKnown } from '../errors/unknown-option.js'
import { SpaceError } from '../errors.js'
import { checkedLease } from './lease.js'
import type { Transaction } from './transaction.js'

export interface FindOptions {
  /** How long to wait for a match, in ms. Default of read and take: for ever. 0 = do not wait. */
  readonly waitMs?: number | undefined
  /** Ends the wait; the call then rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined
  /** What is taken is seen by nobody until this transaction ends, and is back if it aborts; what is read nobody else takes meanwhile. */
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

/** Returns the options with a wait. Throws INVALID_ARGUMENT for an unknown option and for a wait that is none. */
export function checkedFind(what: string, options: FindOptions, defaultWaitMs: number): Omit<FindTerms, 'take'> {
  const { waitMs = defaultWaitMs, signal, tx } = onlyKnown(what, options, OPTIONS)
  checkedWait(waitMs, signal)
  return { waitMs, signal, tx }
}

export function checkedWait(waitMs: number, signal: AbortSignal | undefined): void {
  checkedLease(waitMs, 'waitMs')
  if (signal !== undefined && typeof signal?.throwIfAborted !== 'function') {
    throw new SpaceError('INVALID_ARGUMENT', 'signal is an AbortSignal.')
  }
}

/** @internal The best match that conforms to its kind, within the wait. */
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
    const entry = await judged(stored, definition)
    if (entry instanceof Nonconforming) nonconforming = entry
    else found = entry
    return !(entry instanceof Nonconforming)
  }
  const onNonconforming = (stored: Stored): void => report(stored, nonconforming)
  const find = { template: encoded, take, waitMs, ifExists, conforms, onNonconforming }
  const stored = await (tx
    ? tx.find(signal, (ends) => engine.find({ ...find, tx: tx.id, signal: ends }))
    : engine.find({ ...find, signal }))
  // One that fitted may have been lost before it was acknowledged.
  return stored && found
}

/** @internal What is there and conforms to its kind, the best first, up to `most`. */
export async function takeMany(
  engine: Engine,
  { encoded, definition }: Template<object>,
  most: number,
  tx: Transaction | undefined,
  report: (stored: Stored, nonconforming: Nonconforming) => void,
): Promise<Entry[]> {
  const seen = new Map<Stored, Entry | Nonconforming>()
  const conforms = async (stored: Stored): Promise<boolean> => {
    const entry = await judged(stored, definition)
    seen.set(stored, entry)
    return !(entry instanceof Nonconforming)
  }
  const onNonconforming = (stored: Stored): void => report(stored, seen.get(stored) as Nonconforming)
  const find = { template: encoded, take: true, waitMs: 0, conforms, onNonconforming }
  const taken = await (tx
    ? tx.find(undefined, () => engine.takeMany({ ...find, tx: tx.id }, most))
    : engine.takeMany(find, most))
  return taken.map((stored) => seen.get(stored) as Entry)
}

async function judged(stored: Stored, definition: Template<object>['definition']): Promise<Entry | Nonconforming> {
  const entry = await entryOf(stored, definition)
  if (entry instanceof Nonconforming && entry.thrown !== undefined) {
    throw new SpaceError('INVALID_ENTRY', `The schema of ${definition.kind} threw.`, { cause: entry.thrown })
  }
  return entry
}

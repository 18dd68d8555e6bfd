/** Writes: their options, and the encoding of their entries. */
import { monotonicMs } from '../clock.js'
import type { EncodedEntry, Engine } from '../engine.js'
import { encodeAll, type Snapshot } from '../entry/snapshot.js'
import type { Entry } from '../entry.js'
import { onlyKnown } from '../errors/unknown-option.js'
import { SpaceError } from '../errors.js'
import { checkedLease, Lease } from './lease.js'
import type { Transaction } from './transaction.js'

/** A day: longer than any request, and forgotten entries do not stay for ever. */
export const DEFAULT_LEASE_MS = 24 * 60 * 60 * 1000

/** All of them are in memory at a time, and written or not together. */
const MOST_ENTRIES = 100_000

/** Priority and order of writing share one exact number. */
const HIGHEST_PRIORITY = 127
const LOWEST_PRIORITY = -128

export interface WriteOptions {
  /** Lease of the entry, in ms from now. Default 24 h; Infinity = for ever; 0 = expired at once. */
  readonly leaseMs?: number | undefined
  /** Higher is found first; an integer from -128 to 127. Default 0. */
  readonly priority?: number | undefined
  /** A transaction. Others do not see the entry until it commits; the lease runs from the write. */
  readonly tx?: Transaction | undefined
}

export interface WriteAllOptions extends Omit<WriteOptions, 'leaseMs'> {
  /** One for all entries, or one per entry. */
  readonly leaseMs?: number | readonly number[] | undefined
}

const OPTIONS: ReadonlySet<string> = new Set(['leaseMs', 'priority', 'tx'])

/** @throws SpaceError INVALID_ARGUMENT */
export const checkedWrite = <O extends WriteAllOptions>(what: string, options: O): O =>
  onlyKnown(what, options, OPTIONS)

/** Writes all entries or none. @throws SpaceError as space.writeAll */
export async function writeEntries(
  engine: Engine,
  newId: () => string,
  entries: readonly (Entry<object> | Snapshot<object>)[],
  options: WriteAllOptions,
): Promise<Lease[]> {
  const { leaseMs = DEFAULT_LEASE_MS, priority = 0, tx } = options
  if (!Array.isArray(entries) || entries.length === 0) {
    throw new SpaceError('INVALID_ARGUMENT', 'writeAll wants at least one entry.')
  }
  if (entries.length > MOST_ENTRIES) {
    throw new SpaceError(
      'INVALID_ARGUMENT',
      `writeAll takes at most ${MOST_ENTRIES} entries, not ${entries.length}: all or none are written. Use several calls.`,
    )
  }
  if (Array.isArray(leaseMs) && leaseMs.length !== entries.length) {
    throw new SpaceError('INVALID_ARGUMENT', `There are ${entries.length} entries and ${leaseMs.length} leases.`)
  }
  if (!Number.isInteger(priority) || priority < LOWEST_PRIORITY || priority > HIGHEST_PRIORITY) {
    throw new SpaceError(
      'INVALID_ARGUMENT',
      `priority must be an integer from ${LOWEST_PRIORITY} to ${HIGHEST_PRIORITY}.`,
    )
  }
  const leases = entries.map((_, i) => checkedLease(Array.isArray(leaseMs) ? leaseMs[i] : leaseMs))
  const encoding = encodeAll(entries)
  if (encoding instanceof Promise) tx?.checking(encoding)
  const encoded = encoding instanceof Promise ? await encoding : encoding
  const made = encoded.map((own, i): EncodedEntry => ({ ...own, id: newId(), leaseMs: leases[i]!, priority }))
  const encodedEntries = engine.placed?.(made, tx?.id) ?? made
  const asked = monotonicMs()
  const grants = await (tx ? tx.write(encodedEntries) : engine.write(encodedEntries))
  return encodedEntries.map(
    (encodedEntry, i) => new Lease(engine, encodedEntry.id, grants[i]!, encodedEntry.leaseMs, asked),
  )
}

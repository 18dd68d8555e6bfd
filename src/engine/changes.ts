/**
 * Changes: the part of an engine's contract for entries that are found by their ids, changed in place, or cleared. Each
 * call is one atomic step:
 *
 *   1. A change replaces the contents of an entry that nobody has changed since they were seen. The entry keeps its id,
 *      kinds, priority, place and lease.
 *   2. Waiting finds that match the new contents are served by the change, as by a write.
 *   3. A change under a transaction is visible when that commits. Until then the entry is held, as one that was taken;
 *      an abort puts the former contents back into their place.
 *   4. An id finds what a find without waiting would have: an entry that another holds is not there, nor is one of the
 *      framework's own kinds.
 */
import type { EncodedEntry, EncodedTemplate, Stored } from './entries.js'

/** The contents that a change replaces. */
export type EncodedContents = Pick<
  EncodedEntry,
  'kinds' | 'indexed' | 'verified' | 'index' | 'body' | 'partition' | 'partitionField'
>

/** The check of an entry that was found. */
interface Judged {
  readonly tx?: string | undefined
  /** As of Find. */
  readonly conforms: (stored: Stored) => Promise<boolean>
  /** As of Find. */
  readonly onNonconforming: (stored: Stored) => void
}

/** A change of one entry. */
export interface Change extends Judged {
  /** The id of the entry, or a template, of which the best match is changed that can be taken. */
  readonly target: EncodedTemplate | string
  readonly signal?: AbortSignal | undefined
  /**
   * Returns the new contents of the entry that was found; null leaves the entry. Called again if others have changed
   * or taken that entry, or a better match has come. An error that it throws ends the change.
   */
  readonly contents: (stored: Stored) => Promise<EncodedContents | null>
}

/** A find by id. */
export interface FindById extends Judged {
  readonly id: string
  /** True removes the entry (take), false leaves it (read). */
  readonly take: boolean
}

export interface Changes {
  /**
   * Changes an entry that is there; does not wait. Returns the changed entry; null if there is none, or it was left.
   * @throws SpaceError SPACE_FULL, TRANSACTION_ENDED, OTHER_PARTITION, OUTCOME_UNKNOWN, the error of `contents`
   */
  change(change: Change): Promise<Stored | null>
  /** Returns null if there is no such entry, or it is held. */
  find(find: FindById): Promise<Stored | null>
  /** Removes an entry. Returns false if there is no such entry, or it is held. */
  cancel(id: string): Promise<boolean>
  /** Removes all matches that can be taken; returns their number. Those that come meanwhile may be among them. */
  clear(template: EncodedTemplate): Promise<number>
}

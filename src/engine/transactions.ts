/** Transactions of all processes: the part of an engine's contract that lists them and ends their leases. */

/** A transaction of any process, with what it keeps from others. */
export interface SeenTransaction {
  /** The name by which its lease can be ended. */
  readonly id: string
  /** The process that has begun it, by its name in the space. */
  readonly presence: string
  /**
   * `open`; `prepared`: other partitions decide, and it has no lease; `ending`: its end is decided and takes effect in
   * slices.
   */
  readonly state: 'open' | 'prepared' | 'ending'
  /** Rest of its lease, in ms; 0 if it is not open. */
  readonly remainingMs: number
  /** Entries that it has taken or read, so that nobody else takes them. */
  readonly held: number
  /** Entries that it has written, which nobody else sees. */
  readonly written: number
  /** The kinds of these entries, each once; of a large transaction those of some. */
  readonly kinds: readonly string[]
}

export interface TransactionsOfAll {
  /** Returns those that the space knows, the one whose lease ends first first; at most `most`. */
  list(most: number): Promise<readonly SeenTransaction[]>
  /**
   * Ends the lease of a transaction: it is aborted, and its owner told. Returns false if it is not open.
   * @param id as in the list
   */
  expire(id: string): Promise<boolean>
}

/**
 * Transactions over partitions. One lives in the partition of its first effect, its home. Finds that have met nothing
 * may have opened it in others, where it has no effects and ends with it.
 */
import { wallMs } from '../../clock.js'
import type { EncodedEntry, Engine, Grant } from '../../engine.js'
import { SpaceError } from '../../errors.js'
import type { Placement } from './placement.js'

export interface PartitionedTransaction {
  readonly id: string
  leaseMs: number
  readonly onEnded: () => void
  home: number | undefined
  /** Its id in each partition where it is open. */
  readonly opened: Map<number, string>
  /** Fires when it gets its home; made when first needed. */
  settled: AbortController | undefined
}

export class PartitionedTransactions {
  readonly #members: readonly Engine[]
  readonly #placement: Placement
  readonly #open = new Map<string, PartitionedTransaction>()
  #ids = 0

  constructor(members: readonly Engine[], placement: Placement) {
    this.#members = members
    this.#placement = placement
  }

  begin(leaseMs: number, onEnded: () => void, home: number | undefined): string {
    const id = `t${(++this.#ids).toString(36)}`
    this.#open.set(id, { id, leaseMs, onEnded, home, opened: new Map(), settled: undefined })
    return id
  }

  /** @throws SpaceError TRANSACTION_ENDED */
  get(id: string): PartitionedTransaction {
    const tx = this.#open.get(id)
    if (!tx) throw new SpaceError('TRANSACTION_ENDED')
    return tx
  }

  /**
   * Returns its id in a partition, which learns of it with its first operation there.
   * @throws SpaceError TRANSACTION_ENDED
   */
  in(tx: PartitionedTransaction, partition: number): string {
    const known = tx.opened.get(partition)
    if (known !== undefined) return known
    this.get(tx.id)
    const id = this.#members[partition]!.begin(tx.leaseMs, () => this.#ended(tx))
    tx.opened.set(partition, id)
    return id
  }

  /** Makes a partition its home. Returns false, without effect, if it has another one. */
  settle(tx: PartitionedTransaction, partition: number): boolean {
    if (tx.home === undefined) {
      tx.home = partition
      tx.settled?.abort()
    }
    return tx.home === partition
  }

  /** Undoes what a find has done in a partition that turned out not to be its home. */
  async undo(tx: PartitionedTransaction, partition: number): Promise<void> {
    const id = tx.opened.get(partition)
    tx.opened.delete(partition)
    if (id !== undefined) await this.#members[partition]!.abort(id)
  }

  /**
   * Returns the partition of entries that are written under a transaction, which makes it its home.
   * @throws SpaceError OTHER_PARTITION
   */
  homeFor(tx: PartitionedTransaction, entries: readonly EncodedEntry[]): number {
    const keyed = this.keyed(entries)
    const home = keyed ?? tx.home ?? this.#placement.next()
    if (!this.settle(tx, home)) throw otherPartition('The transaction', tx.home!, 'the entry', home)
    return home
  }

  /** Returns the partition that the keys of entries name, if any. @throws SpaceError OTHER_PARTITION if they name several */
  keyed(entries: readonly EncodedEntry[]): number | undefined {
    let keyed: number | undefined
    for (const { partition } of entries) {
      if (partition === undefined) continue
      const own = this.#placement.ofKey(partition)
      if (keyed !== undefined && own !== keyed) throw otherPartition('An entry', keyed, 'another', own)
      keyed = own
    }
    return keyed
  }

  async renew(id: string, leaseMs: number): Promise<Grant> {
    const tx = this.get(id)
    // A partition that has not learned of it yet will learn of this lease.
    tx.leaseMs = leaseMs
    let grant: Grant = { expiresAt: wallMs() + leaseMs }
    const renewed = Array.from(tx.opened, async ([partition, own]) => {
      const given = await this.#members[partition]!.renewTransaction(own, leaseMs)
      if (partition === tx.home) grant = given
    })
    await Promise.all(renewed)
    return grant
  }

  /** Commits it in its home. @throws SpaceError as Engine.commit */
  async commit(id: string, entries: readonly EncodedEntry[]): Promise<void> {
    const tx = this.get(id)
    if (entries.length > 0) this.homeFor(tx, entries)
    if (tx.home !== undefined) await this.#members[tx.home]!.commit(this.in(tx, tx.home), entries)
    await this.close(id)
  }

  async abort(id: string): Promise<void> {
    const tx = this.#open.get(id)
    this.#open.delete(id)
    if (tx) await this.#leave(tx, undefined)
  }

  /** Ends it where it has no effects: its home has committed it. */
  async close(id: string): Promise<void> {
    const tx = this.#open.get(id)
    this.#open.delete(id)
    // Where it has no effects its lease may end it as well.
    if (tx) await this.#leave(tx, tx.home).catch(() => {})
  }

  /** Aborts it in all partitions but one. */
  async #leave(tx: PartitionedTransaction, except: number | undefined): Promise<void> {
    const others = [...tx.opened].filter(([partition]) => partition !== except)
    if (others.length > 0) await Promise.all(others.map(([partition, id]) => this.#members[partition]!.abort(id)))
  }

  /** A partition has ended it. */
  #ended(tx: PartitionedTransaction): void {
    if (!this.#open.delete(tx.id)) return
    this.#leave(tx, undefined).catch(() => {})
    tx.onEnded()
  }
}

export const otherPartition = (what: string, there: number, other: string, here: number): SpaceError =>
  new SpaceError(
    'OTHER_PARTITION',
    `${what} belongs to partition ${there}, ${other} to partition ${here}. Give both kinds a partition key of the same value, or use two calls.`,
  )

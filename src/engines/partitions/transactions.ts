/**
 * Transactions over partitions. One lives in the partition of its first effect, its home, unless it was begun to span
 * all. Finds that have met nothing may have opened it in others, where it has no effects and ends with it.
 */
import { wallMs } from '../../clock.js'
import type { EncodedEntry, Engine, Grant } from '../../engine.js'
import { SpaceError } from '../../errors.js'
import type { Placement } from './placement.js'
import { SpanningCommits } from './spanning-commits.js'

export interface PartitionedTransaction {
  readonly id: string
  leaseMs: number
  readonly onEnded: () => void
  /** Where what belongs to no partition goes. */
  home: number | undefined
  /** True if it may have effects in all partitions. */
  readonly spans: boolean
  /** The partitions where it has effects, that of the first one first. */
  readonly effects: Set<number>
  /** The entries that a commit which found no room has written under it. */
  readonly written: Set<string>
  /** Its id in each partition where it is open. */
  readonly opened: Map<number, string>
  /** Fires when it gets its home; made when first needed. */
  settled: AbortController | undefined
}

export class PartitionedTransactions {
  readonly #members: readonly Engine[]
  readonly #placement: Placement
  readonly #spanning: SpanningCommits
  readonly #open = new Map<string, PartitionedTransaction>()
  #ids = 0

  constructor(members: readonly Engine[], placement: Placement) {
    this.#members = members
    this.#placement = placement
    this.#spanning = new SpanningCommits(members, placement)
  }

  begin(leaseMs: number, onEnded: () => void, home: number | undefined, spans = false): string {
    const id = `t${(++this.#ids).toString(36)}`
    const [effects, written] = [new Set<number>(), new Set<string>()]
    const opened = new Map<number, string>()
    this.#open.set(id, { id, leaseMs, onEnded, home, spans, effects, written, opened, settled: undefined })
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

  /**
   * Notes an effect in a partition, which makes it its home. Returns false, without effect, if it has another home and
   * does not span all.
   */
  settle(tx: PartitionedTransaction, partition: number): boolean {
    if (tx.spans) {
      tx.home ??= partition
      tx.effects.add(partition)
      return true
    }
    if (tx.home === undefined) {
      tx.home = partition
      tx.settled?.abort()
    }
    return tx.home === partition
  }

  /**
   * Returns the partitions in which an operation under a transaction looks, or under none: its home alone, if it has one
   * and does not span all.
   * @param only the partitions that may have what is looked for; undefined: all
   * @throws SpaceError OTHER_PARTITION if its home is not among them
   */
  reach(tx: PartitionedTransaction | undefined, only: readonly number[] | undefined): readonly number[] {
    if (tx?.home === undefined || tx.spans) return only ?? this.#placement.inTurn()
    if (only && !only.includes(tx.home)) throw otherPartition(`Transaction ${tx.id}`, tx.home, 'the template', only[0]!)
    return [tx.home]
  }

  /** Undoes what a find has done in a partition that turned out not to be its home. */
  async undo(tx: PartitionedTransaction, partition: number): Promise<void> {
    const id = tx.opened.get(partition)
    tx.opened.delete(partition)
    if (id !== undefined) await this.#members[partition]!.abort(id)
  }

  /** Returns the partition of an entry that is written under a transaction that spans all. */
  placeFor(tx: PartitionedTransaction, { id, partition }: EncodedEntry): number {
    if (partition !== undefined) return this.#placement.ofKey(partition)
    tx.home ??= this.#placement.next()
    return this.#placement.marked(id) ?? this.#placement.besideIn(tx.home, id)
  }

  /** Writes entries under a transaction that spans all, those of each partition together. Returns grants in their order. */
  async write(tx: PartitionedTransaction, entries: readonly EncodedEntry[]): Promise<Grant[]> {
    const groups = new Map<number, EncodedEntry[]>()
    for (const entry of entries) {
      const partition = this.placeFor(tx, entry)
      groups.set(partition, [...(groups.get(partition) ?? []), entry])
    }
    const grants = new Map<EncodedEntry, Grant>()
    const writes = Array.from(groups, async ([partition, own]) => {
      const given = await this.#members[partition]!.write(own, this.in(tx, partition))
      this.settle(tx, partition)
      for (const [i, entry] of own.entries()) grants.set(entry, given[i]!)
      for (const { id } of own) tx.written.add(id)
    })
    const refused = (await Promise.allSettled(writes)).find((each) => each.status === 'rejected')
    if (refused) throw refused.reason
    return entries.map((entry) => grants.get(entry)!)
  }

  /**
   * Returns the partition of entries that are written under a transaction, which makes it its home.
   * @throws SpaceError OTHER_PARTITION
   */
  homeFor(tx: PartitionedTransaction, entries: readonly EncodedEntry[]): number {
    const keyed = this.keyed(entries, tx.home)
    const home = keyed ?? tx.home ?? this.#placement.next()
    if (!this.settle(tx, home)) throw otherPartition('The transaction', tx.home!, 'the entry', home)
    return home
  }

  /**
   * Returns the partition that the keys of entries name, if any. @param beside the partition of what they are written with
   * @throws SpaceError OTHER_PARTITION if they name several
   */
  keyed(entries: readonly EncodedEntry[], beside?: number): number | undefined {
    let keyed: number | undefined
    for (const { partition } of entries) {
      if (partition === undefined) continue
      const own = this.#placement.ofKey(partition, beside)
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

  /** Commits it in its home, or in all partitions where it has effects. @throws SpaceError as Engine.commit */
  async commit(id: string, entries: readonly EncodedEntry[]): Promise<void> {
    const tx = this.get(id)
    if (tx.spans) return this.#commitSpanning(tx, entries)
    if (entries.length > 0) this.homeFor(tx, entries)
    if (tx.home !== undefined) await this.#members[tx.home]!.commit(this.in(tx, tx.home), entries)
    await this.close(id)
  }

  async #commitSpanning(tx: PartitionedTransaction, entries: readonly EncodedEntry[]): Promise<void> {
    const left = entries.filter(({ id }) => !tx.written.has(id))
    let touched: ReadonlySet<number> = new Set([...tx.effects, ...left.map((entry) => this.placeFor(tx, entry))])
    const [only] = touched
    if (touched.size > 1) {
      // A partition without room refuses before anything is prepared: the transaction is still open.
      if (left.length > 0) await this.write(tx, left)
      this.get(tx.id)
      // While the space moves, the place of new entries changes.
      touched = new Set(tx.effects)
    } else if (only !== undefined) {
      await this.#members[only]!.commit(this.in(tx, only), left)
    }
    this.#open.delete(tx.id)
    try {
      const [decider, ...others] = Array.from(touched, (partition) => ({ partition, tx: tx.opened.get(partition)! }))
      if (decider && others.length > 0) await this.#spanning.commit(decider, others)
    } finally {
      // Where it has no effects its lease may end it as well.
      await this.#leave(tx, touched).catch(() => {})
    }
  }

  async abort(id: string): Promise<void> {
    const tx = this.#open.get(id)
    this.#open.delete(id)
    if (tx) await this.#leave(tx)
  }

  /** Ends it where it has no effects: its home has committed it. */
  async close(id: string): Promise<void> {
    const tx = this.#open.get(id)
    this.#open.delete(id)
    // Where it has no effects its lease may end it as well.
    if (tx) await this.#leave(tx, new Set([tx.home])).catch(() => {})
  }

  /** Aborts it in all partitions but some. */
  async #leave(tx: PartitionedTransaction, except: ReadonlySet<number | undefined> = NONE): Promise<void> {
    const others = [...tx.opened].filter(([partition]) => !except.has(partition))
    if (others.length > 0) await Promise.all(others.map(([partition, id]) => this.#members[partition]!.abort(id)))
  }

  /** A partition has ended it. */
  #ended(tx: PartitionedTransaction): void {
    if (!this.#open.delete(tx.id)) return
    this.#leave(tx).catch(() => {})
    tx.onEnded()
  }
}

const NONE: ReadonlySet<number | undefined> = new Set()

export const otherPartition = (what: string, there: number, other: string, here: number): SpaceError =>
  new SpaceError(
    'OTHER_PARTITION',
    `${what} belongs to partition ${there}, ${other} to partition ${here}. Give both kinds a partition key of the same value, or use two calls, or a transaction with span: 'all'.`,
  )

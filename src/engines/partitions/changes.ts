/** Changes, finds by id and clearing over partitions: one after the other, until one has the entry. */
import type { Change, Changes, FindById } from '../../engine/changes.js'
import type { EncodedTemplate, Engine, Stored } from '../../engine.js'
import { isSpaceError } from '../../errors.js'
import type { Placement } from './placement.js'
import type { PartitionedTransactions } from './transactions.js'

/** Asks one partition, under the name that a transaction has there. */
type AskChanges<T> = (changes: Changes, tx: string | undefined, partition: number) => Promise<T>

export class PartitionedChanges implements Changes {
  readonly #members: readonly Engine[]
  readonly #placement: Placement
  readonly #transactions: PartitionedTransactions

  constructor(members: readonly Engine[], placement: Placement, transactions: PartitionedTransactions) {
    this.#members = members
    this.#placement = placement
    this.#transactions = transactions
  }

  change(change: Change): Promise<Stored | null> {
    const { target } = change
    if (typeof target === 'string') {
      return this.#first(change.tx, this.#ofId(target), (changes, tx) => changes.change({ ...change, tx }))
    }
    return this.#first(change.tx, this.#placement.ofTemplate(target), async (changes, tx, partition) => {
      const changed = await changes.change({ ...change, tx })
      const bringing = changed || tx === undefined ? undefined : this.#placement.bring?.(target, partition)
      if (!bringing) return changed
      await bringing
      return changes.change({ ...change, tx })
    })
  }

  find(find: FindById): Promise<Stored | null> {
    return this.#first(find.tx, this.#ofId(find.id), (changes, tx) => changes.find({ ...find, tx }))
  }

  async cancel(id: string): Promise<boolean> {
    return (await this.#first(undefined, this.#ofId(id), (changes) => changes.cancel(id))) ?? false
  }

  async clear(template: EncodedTemplate): Promise<number> {
    let count = 0
    for (const partition of this.#placement.among(template)) {
      await this.#placement.arrived?.(partition)
      count += await this.#members[partition]!.changes.clear(template)
    }
    return count
  }

  /** Returns the partition that an id was marked with; undefined: it may be in any. */
  #ofId(id: string): readonly number[] | undefined {
    const marked = this.#placement.marked(id)
    return marked === undefined ? undefined : [marked]
  }

  /**
   * Returns the first result that is one, of the partitions that a transaction reaches. The partition that has it is the
   * home of the transaction from then on.
   */
  async #first<T>(id: string | undefined, only: readonly number[] | undefined, ask: AskChanges<T>): Promise<T | null> {
    const tx = id === undefined ? undefined : this.#transactions.get(id)
    let away: unknown
    for (const partition of this.#transactions.reach(tx, only)) {
      try {
        await this.#placement.arrived?.(partition)
        const under = tx && this.#transactions.in(tx, partition)
        const found = await ask(this.#members[partition]!.changes, under, partition)
        if (!found) continue
        if (!tx || this.#transactions.settle(tx, partition)) return found
      } catch (error) {
        // A partition that is away keeps nothing from the others.
        if (!isSpaceError(error) || !error.retryable || tx) throw error
        away = error
        continue
      }
      // Another operation has given it a home meanwhile.
      await this.#transactions.undo(tx, partition)
      return this.#first(id, only, ask)
    }
    if (away !== undefined) throw away
    return null
  }
}

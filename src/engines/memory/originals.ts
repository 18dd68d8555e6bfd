/**
 * Originals: the former contents of entries that transactions have changed. Each is held under a name of its own, as an
 * entry that its transaction has taken, beside the changed entry, which its transaction has written.
 */
import type { EncodedEntry } from '../../engine.js'
import type { Bag, Item } from './bag.js'
import type { MemoryTransactions, OpenTransaction } from './transactions.js'

/** Ends the id of an original: no id of an entry has it. */
const MARK = '^'

export class Originals {
  readonly #bag: Bag
  readonly #transactions: MemoryTransactions
  /** The changed item by its original, and the other way round. */
  readonly #changed = new Map<Item, Item>()
  readonly #originals = new Map<Item, Item>()

  constructor(bag: Bag, transactions: MemoryTransactions) {
    this.#bag = bag
    this.#transactions = transactions
  }

  /** Replaces the contents of an item that its changer may take. Returns the new item, in the same place. */
  replace(item: Item, entry: EncodedEntry, tx: string | undefined): Item {
    const changed: Item = { ...item, entry, writer: tx, readers: new Set() }
    this.#bag.remove(entry.id)
    if (tx !== undefined) this.#replaceUnder(this.#transactions.get(tx), item, changed)
    this.#bag.restore(changed)
    return changed
  }

  /**
   * Forgets the originals of a transaction that ends, and returns the items that it has changed. If it is aborted, each
   * original is in its place again, as taken; but not if the entry has gone meanwhile.
   */
  endOf({ items }: OpenTransaction, isCommitted: boolean): ReadonlySet<Item> {
    const all = new Set<Item>()
    for (const original of [...items]) {
      const changed = this.#changed.get(original)
      if (!changed) continue
      this.#changed.delete(original)
      this.#originals.delete(changed)
      all.add(changed)
      if (!isCommitted) this.#restore(items, original, changed)
    }
    return all
  }

  #restore(items: Set<Item>, original: Item, changed: Item): void {
    const { id } = changed.entry
    items.delete(original)
    this.#bag.remove(original.entry.id)
    if (this.#bag.get(id) !== changed) return
    items.delete(changed)
    this.#bag.remove(id)
    // The lease may have been renewed.
    const restored: Item = { ...original, entry: { ...original.entry, id }, expiresAt: changed.expiresAt }
    this.#bag.restore(restored)
    items.add(restored)
  }

  #replaceUnder({ id: tx, items }: OpenTransaction, item: Item, changed: Item): void {
    items.delete(item)
    items.add(changed)
    const known = this.#originals.get(item)
    const id = `${item.entry.id}${MARK}`
    const original: Item = known ?? { ...item, entry: { ...item.entry, id }, taker: tx, readers: new Set() }
    this.#originals.delete(item)
    // An entry that the transaction itself has written has none.
    if (!known && item.writer === tx) return
    this.#bag.restore(original)
    items.add(original)
    this.#changed.set(original, changed)
    this.#originals.set(changed, original)
  }
}

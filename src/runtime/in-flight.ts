/**
 * Requests or turns under way: a bag with fast add and remove. A Set or Map rehashes after every so many removals, and
 * V8 links the old table to the new one: once an old table has outlived a few young collections, later entries are kept
 * until the next full collection. That was most of the garbage of a busy worker.
 */
export interface Placed {
  /** Its index in the bag, set by the bag. */
  place: number
}

export class InFlight<T extends Placed> {
  readonly #items: T[] = []

  get size(): number {
    return this.#items.length
  }

  add(item: T): void {
    item.place = this.#items.push(item) - 1
  }

  /** Returns false if it is not in the bag. */
  remove(item: T): boolean {
    const { place } = item
    if (this.#items[place] !== item) return false
    const last = this.#items.pop()!
    if (last !== item) {
      this.#items[place] = last
      last.place = place
    }
    item.place = -1
    return true
  }

  /** Returns whether it is in the bag. */
  has(item: T): boolean {
    return this.#items[item.place] === item
  }

  /** Iterates in no order; entries that are added or removed meanwhile may or may not be met. */
  [Symbol.iterator](): Iterator<T> {
    return this.#items.values()
  }
}

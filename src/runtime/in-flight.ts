/**
 * What is under way: a bag with quick ways in and out. Not a Set or a Map, because these grow anew after every so many removals, and V8
 * chains the old table to the new one: once an old one has outlived a few young collections, everything that stood in any later one is
 * kept until the next full collection. Here that was most of what a busy worker allocated, copied twice before it was thrown away.
 */
export interface Placed {
  /** Where it stands in its bag; the bag's own. */
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

  /** False if it is not in (any longer). */
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

  /** Whether it is in. */
  has(item: T): boolean {
    return this.#items[item.place] === item
  }

  /** In no order. What is added or removed meanwhile may or may not be met. */
  [Symbol.iterator](): Iterator<T> {
    return this.#items.values()
  }
}

/** Sorted: items in order, in pieces of bounded length: to add, to remove and to seek costs little among many. */

/** A longer piece is split in two. */
const LONGEST_PIECE = 512

/** Items with their keys beside them: a search among many reads numbers that are next to each other. */
interface Piece<T> {
  readonly keys: number[]
  readonly items: T[]
}

export class Sorted<T> {
  readonly #keyOf: (item: T) => number
  readonly #compare: (a: T, b: T) => number
  readonly #pieces: Piece<T>[] = []
  #size = 0
  #changes = 0

  /** Items are in the order of their keys; `compare` orders those of one key, and returns 0 for an item and itself alone. */
  constructor(keyOf: (item: T) => number, compare: (a: T, b: T) => number) {
    this.#keyOf = keyOf
    this.#compare = compare
  }

  get size(): number {
    return this.#size
  }

  add(item: T): void {
    this.#size++
    this.#changes++
    const key = this.#keyOf(item)
    const at = this.#pieceOf(key, item)
    const piece = this.#pieces[at]
    if (!piece) {
      this.#pieces.push({ keys: [key], items: [item] })
      return
    }
    const { keys, items } = piece
    const i = this.#placeIn(piece, key, item)
    // Items that come in order fill their pieces.
    if (i === LONGEST_PIECE) {
      this.#pieces.splice(at + 1, 0, { keys: [key], items: [item] })
      return
    }
    keys.splice(i, 0, key)
    items.splice(i, 0, item)
    if (items.length <= LONGEST_PIECE) return
    const half = LONGEST_PIECE / 2
    this.#pieces.splice(at + 1, 0, { keys: keys.splice(half), items: items.splice(half) })
  }

  /** Returns false if the item is not there. */
  delete(item: T): boolean {
    const key = this.#keyOf(item)
    const at = this.#pieceOf(key, item)
    const piece = this.#pieces[at]
    if (!piece) return false
    const { keys, items } = piece
    const i = this.#placeIn(piece, key, item)
    if (keys[i] !== key || this.#compare(items[i]!, item) !== 0) return false
    this.#size--
    this.#changes++
    keys.splice(i, 1)
    items.splice(i, 1)
    if (items.length === 0) this.#pieces.splice(at, 1)
    return true
  }

  /**
   * Yields the items in order, from the first one for which `isIn` returns true; it then does for all that follow. Items may
   * be added and removed meanwhile.
   */
  *from(isIn: (item: T) => boolean): Generator<T, void> {
    let [at, i] = this.#seek(isIn)
    for (let items = this.#pieces[at]?.items; items; items = this.#pieces[at]?.items) {
      if (i === items.length) {
        at++
        i = 0
        continue
      }
      const item = items[i++]!
      const changes = this.#changes
      yield item
      if (this.#changes !== changes) [at, i] = this.#seek((each) => this.#isBehind(each, item))
    }
  }

  /** Returns the number of the piece, and the place in it, of the first item that passes a test. */
  #seek(passes: (item: T) => boolean): [piece: number, place: number] {
    const at = firstWhere(this.#pieces.length, (n) => passes(this.#pieces[n]!.items.at(-1)!))
    const items = this.#pieces[at]?.items ?? []
    return [at, firstWhere(items.length, (n) => passes(items[n]!))]
  }

  #isBehind(item: T, other: T): boolean {
    const [key, otherKey] = [this.#keyOf(item), this.#keyOf(other)]
    return key === otherKey ? this.#compare(item, other) > 0 : key > otherKey
  }

  /** Returns the number of the piece in which an item is, or would be. */
  #pieceOf(key: number, item: T): number {
    const pieces = this.#pieces
    const behind = firstWhere(pieces.length, (n) => {
      const first = pieces[n]!.keys[0]!
      return first > key || (first === key && this.#compare(pieces[n]!.items[0]!, item) > 0)
    })
    return Math.max(behind - 1, 0)
  }

  /** Returns the place in a piece of an item, or of the first one behind it. */
  #placeIn({ keys, items }: Piece<T>, key: number, item: T): number {
    return firstWhere(keys.length, (n) => {
      const each = keys[n]!
      return each > key || (each === key && this.#compare(items[n]!, item) >= 0)
    })
  }
}

/** Returns the first number below a bound that passes a test; the bound if none does. All behind it pass. */
function firstWhere(bound: number, passes: (n: number) => boolean): number {
  let [low, high] = [0, bound]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (passes(middle)) high = middle
    else low = middle + 1
  }
  return low
}

/** Those who wait for an entry: readers are all shown it, then one taker gets it, the one with most credit, then the oldest. */
import type { Image, Pattern } from '../../engine.js'
import type { Item } from './bag.js'
import { matches } from './match.js'

export interface Waiter {
  readonly pattern: Pattern
  readonly take: boolean
  /** How many entries it has room for; a plain read or take has room for one. */
  credit: number
  serve(item: Item): void
}

export class Waiters {
  readonly #waiting = new Set<Waiter>()

  add(waiter: Waiter): void {
    this.#waiting.add(waiter)
  }

  remove(waiter: Waiter): boolean {
    return this.#waiting.delete(waiter)
  }

  has(waiter: Waiter): boolean {
    return this.#waiting.has(waiter)
  }

  /** Every waiting reader sees the entry at the moment it appears, even if a taker gets it in the same moment. */
  readers(image: Image): Waiter[] {
    return [...this.#waiting].filter((waiter) => !waiter.take && matches(waiter.pattern, image))
  }

  taker(image: Image): Waiter | undefined {
    let best: Waiter | undefined
    for (const waiter of this.#waiting) {
      if (!waiter.take || waiter.credit < 1 || !matches(waiter.pattern, image)) continue
      if (!best || waiter.credit > best.credit) best = waiter
    }
    return best
  }

  /** Takes all of them out, for a space that closes. */
  drain(): Waiter[] {
    const all = [...this.#waiting]
    this.#waiting.clear()
    return all
  }
}

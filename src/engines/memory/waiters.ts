/** Those who wait for an entry: readers are all shown it, then one taker gets it, the one with most credit, then the oldest. */
import type { EncodedTemplate } from '../../engine.js'
import { SpaceError } from '../../errors.js'
import { type Item, readable, takeable } from './bag.js'
import { matches } from './match.js'

export interface Waiter {
  readonly template: EncodedTemplate
  readonly take: boolean
  /** Whose it is. */
  readonly presence: string
  /** The transaction under which it waits, if any. */
  readonly tx: string | undefined
  /** It waits only for what a transaction holds. */
  readonly ifExists: boolean
  /** How many entries it has room for; a plain read or take has room for one. */
  credit: number
  serve(item: Item): void
  /** There is nothing (any longer) that it might wait for. */
  miss(): void
  /** Its transaction has ended. */
  fail(error: SpaceError): void
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

  /**
   * Every waiting reader sees the entry at the moment it appears, even if a taker gets it in the same moment. Not so those under a
   * transaction, since what they have read nobody else may take: they come after the takers.
   */
  readers(item: Item, underTransaction: boolean): Waiter[] {
    return [...this.#waiting].filter(
      ({ take, tx, template }) =>
        !take && (tx !== undefined) === underTransaction && readable(item, tx) && matches(template, item.entry),
    )
  }

  /** `bears`: whether that process may be given this entry. */
  taker(item: Item, bears: (presence: string) => boolean): Waiter | undefined {
    let best: Waiter | undefined
    for (const waiter of this.#waiting) {
      const { take, tx, credit, template, presence } = waiter
      if (!take || credit < 1 || !bears(presence) || !takeable(item, tx) || !matches(template, item.entry)) continue
      if (!best || credit > best.credit) best = waiter
    }
    return best
  }

  /** By which tokens takers choose among the entries of a kind with this token. */
  offered(kind: string, token: string | undefined): string[] {
    const tokens = new Set<string>()
    for (const { take, template } of this.#waiting) {
      if (!take || template.kind !== kind || (token !== undefined && !template.indexed.includes(token))) continue
      for (const each of [...template.indexed, ...(template.anyOf ?? [])]) if (each !== token) tokens.add(each)
    }
    return [...tokens]
  }

  /** Those who wait only for what a transaction holds. */
  ifExists(): Waiter[] {
    return [...this.#waiting].filter((waiter) => waiter.ifExists)
  }

  /** Those under a transaction end with it: what it sets free is not theirs. */
  endOf(tx: string): void {
    for (const waiter of [...this.#waiting]) if (waiter.tx === tx) waiter.fail(new SpaceError('TRANSACTION_ENDED'))
  }

  /** Nobody waits there any longer. */
  forget(presence: string): void {
    for (const waiter of this.#waiting) if (waiter.presence === presence) this.#waiting.delete(waiter)
  }
}

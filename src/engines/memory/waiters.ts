/** Waiting finds: all readers get an entry, then one taker: the one with most credit, then the oldest. */
import type { EncodedTemplate } from '../../engine.js'
import { SpaceError } from '../../errors.js'
import { type Item, readable, takeable } from './bag.js'
import { matches } from './match.js'

export interface Waiter {
  readonly template: EncodedTemplate
  readonly take: boolean
  /** The waiting process. */
  readonly presence: string
  /** The transaction of the find, if any. */
  readonly tx: string | undefined
  /** True if it waits only while a match is held by a transaction. */
  readonly ifExists: boolean
  /** Number of entries that it accepts; 1 for a plain read or take. */
  credit: number
  serve(item: Item): void
  /** Called when there is nothing left to wait for. */
  miss(): void
  /** Called when its transaction has ended. */
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
   * Returns the waiting readers of an entry. They get it as it appears, even if a taker gets it too; readers under a
   * transaction come after the takers, because what they have read cannot be taken.
   */
  readers(item: Item, underTransaction: boolean): Waiter[] {
    return [...this.#waiting].filter(
      ({ take, tx, template }) =>
        !take && (tx !== undefined) === underTransaction && readable(item, tx) && matches(template, item.entry),
    )
  }

  /** Returns the taker of an entry. `bears` returns whether a process may be given it. */
  taker(item: Item, bears: (presence: string) => boolean): Waiter | undefined {
    let best: Waiter | undefined
    for (const waiter of this.#waiting) {
      const { take, tx, credit, template, presence } = waiter
      if (!take || credit < 1 || !bears(presence) || !takeable(item, tx) || !matches(template, item.entry)) continue
      if (!best || credit > best.credit) best = waiter
    }
    return best
  }

  /** Returns the tokens by which takers choose among the entries of a kind with this token. */
  offered(kind: string, token: string | undefined): string[] {
    const tokens = new Set<string>()
    for (const { take, template } of this.#waiting) {
      if (!take || template.kind !== kind || (token !== undefined && !template.indexed.includes(token))) continue
      for (const each of [...template.indexed, ...(template.anyOf ?? [])]) if (each !== token) tokens.add(each)
    }
    return [...tokens]
  }

  /** Returns the finds that wait only while a match is held by a transaction. */
  ifExists(): Waiter[] {
    return [...this.#waiting].filter((waiter) => waiter.ifExists)
  }

  /** Ends the finds of a transaction. */
  endOf(tx: string): void {
    for (const waiter of [...this.#waiting]) if (waiter.tx === tx) waiter.fail(new SpaceError('TRANSACTION_ENDED'))
  }

  /** Removes the finds of a process. */
  forget(presence: string): void {
    for (const waiter of this.#waiting) if (waiter.presence === presence) this.#waiting.delete(waiter)
  }
}

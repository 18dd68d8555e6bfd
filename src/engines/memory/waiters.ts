/** Waiting finds: all readers get an entry, then one taker: the one with most credit, then the oldest. */
import type { EncodedTemplate } from '../../engine.js'
import { SpaceError } from '../../errors.js'
import { type Item, readable, takeable } from './bag.js'
import { WaitingTemplates } from './waiting-templates.js'

export interface Waiter {
  readonly template: EncodedTemplate
  readonly take: boolean
  /** True for an offer, which stays when it is served. All others have a credit of 1. */
  readonly isOffer?: boolean
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

/** The waiters of equal templates, the oldest first. */
class Line {
  readonly finds = new Set<Waiter>()
  readonly offers = new Set<Waiter>()

  of({ isOffer }: Waiter): Set<Waiter> {
    return isOffer ? this.offers : this.finds
  }

  get isEmpty(): boolean {
    return this.finds.size + this.offers.size === 0
  }
}

export class Waiters {
  /** Each with its age: the smallest has waited longest. */
  readonly #waiting = new Map<Waiter, number>()
  readonly #takers = new WaitingTemplates(() => new Line())
  readonly #readers = new WaitingTemplates(() => new Line())
  readonly #ifExists = new Set<Waiter>()
  readonly #byTransaction = new Map<string, Set<Waiter>>()
  #ages = 0

  add(waiter: Waiter): void {
    this.#waiting.set(waiter, ++this.#ages)
    this.#lines(waiter).lineOf(waiter.template).of(waiter).add(waiter)
    if (waiter.ifExists) this.#ifExists.add(waiter)
    if (waiter.tx === undefined) return
    const same = this.#byTransaction.get(waiter.tx) ?? new Set<Waiter>()
    this.#byTransaction.set(waiter.tx, same.add(waiter))
  }

  remove(waiter: Waiter): boolean {
    if (!this.#waiting.delete(waiter)) return false
    const lines = this.#lines(waiter)
    const line = lines.lineOf(waiter.template)
    line.of(waiter).delete(waiter)
    if (line.isEmpty) lines.remove(waiter.template)
    this.#ifExists.delete(waiter)
    const same = waiter.tx === undefined ? undefined : this.#byTransaction.get(waiter.tx)
    same?.delete(waiter)
    if (same?.size === 0) this.#byTransaction.delete(waiter.tx!)
    return true
  }

  has(waiter: Waiter): boolean {
    return this.#waiting.has(waiter)
  }

  /**
   * Returns the waiting readers of an entry. They get it as it appears, even if a taker gets it too; readers under a
   * transaction come after the takers, because what they have read cannot be taken.
   */
  readers(item: Item, underTransaction: boolean): Waiter[] {
    const found: Waiter[] = []
    for (const { finds } of this.#readers.matching(item.entry)) {
      for (const reader of finds) {
        if ((reader.tx !== undefined) === underTransaction && readable(item, reader.tx)) found.push(reader)
      }
    }
    return found.sort((a, b) => this.#ageOf(a) - this.#ageOf(b))
  }

  /** Returns the taker of an entry. `bears` returns whether a process may be given it. */
  taker(item: Item, bears: (presence: string) => boolean): Waiter | undefined {
    let best: Waiter | undefined
    const may = ({ credit, presence, tx }: Waiter): boolean => credit > 0 && takeable(item, tx) && bears(presence)
    for (const { finds, offers } of this.#takers.matching(item.entry)) {
      for (const offer of offers) if (may(offer) && this.#isBetter(offer, best)) best = offer
      for (const find of finds) {
        if (!may(find)) continue
        // All finds have the same credit.
        if (this.#isBetter(find, best)) best = find
        break
      }
    }
    return best
  }

  /** Returns the tokens by which takers choose among the entries of a kind with this token. */
  offered(kind: string, token: string | undefined): string[] {
    const tokens = new Set<string>()
    for (const { take, template } of this.#waiting.keys()) {
      if (!take || template.kind !== kind || (token !== undefined && !template.indexed.includes(token))) continue
      for (const each of [...template.indexed, ...(template.anyOf ?? [])]) if (each !== token) tokens.add(each)
    }
    return [...tokens]
  }

  /** Returns the finds that wait only while a match is held by a transaction. */
  ifExists(): Waiter[] {
    return [...this.#ifExists]
  }

  /** Ends the finds of a transaction. */
  endOf(tx: string): void {
    for (const waiter of [...(this.#byTransaction.get(tx) ?? [])]) waiter.fail(new SpaceError('TRANSACTION_ENDED'))
  }

  /** Removes the finds of a process. */
  forget(presence: string): void {
    for (const waiter of [...this.#waiting.keys()]) if (waiter.presence === presence) this.remove(waiter)
  }

  #lines({ take }: Waiter): WaitingTemplates<Line> {
    return take ? this.#takers : this.#readers
  }

  #ageOf(waiter: Waiter): number {
    return this.#waiting.get(waiter)!
  }

  /** Returns whether a waiter comes before another one. */
  #isBetter(waiter: Waiter, other: Waiter | undefined): boolean {
    if (!other || waiter.credit !== other.credit) return !other || waiter.credit > other.credit
    return this.#ageOf(waiter) < this.#ageOf(other)
  }
}

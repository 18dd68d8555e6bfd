/**
 * Overrun handlers: those that have not ended although their turn has.
 *
 * A `(req, res)` handler ends without a word if its client leaves: it does nothing more, and nothing refers to its turn any longer. So a handler is
 * counted only if it is known to run on: it ran past its deadline, it wrote to the response that was closed, or it is still referred to, by
 * a timer, a socket or a promise that something will settle, LONG_MS after its client left and after a garbage collection.
 */
import { monotonicMs } from '../src/clock.js'
import { collectGarbage } from './garbage.js'

/**
 * With so many, a process is no good to the next request. More than it works on at a time, since not all that are counted do harm; their slots
 * are free, and one that blocks the event loop is noticed as that.
 */
export const mostStrayed = (concurrency: number): number => Math.max(4 * concurrency, 64)

/** A handler may take so long to notice that its client has left, for example by the end of a call to another service. */
const LONG_MS = 10_000

/** Between two forced garbage collections; and they take at most one part in LEAST_PAUSE_RATIO of the time. */
const LEAST_PAUSE_MS = 10_000
const LEAST_PAUSE_RATIO = 50

export interface Overrunning {
  /** Its handler is known to run on. */
  runsOn(): void
}

/** Stands for one of them without keeping it from being collected. */
export interface Overrun {
  readonly turn: WeakRef<Overrunning>
  readonly since: number
  counted: boolean
}

export class OverrunHandlers {
  readonly #all = new Set<Overrun>()
  readonly #max: number
  readonly #longMs: number
  readonly #collect: () => boolean
  /** Whether a collection has left `max` of those that are counted. */
  #confirmed = false
  #check: NodeJS.Timeout | undefined
  #mayCheckAt = 0

  /** `collect` returns false if it cannot have garbage collected. */
  constructor(max: number, longMs = LONG_MS, collect = collectGarbage) {
    this.#max = max
    this.#longMs = longMs
    this.#collect = collect
  }

  /** How many run on. It reaches `max` only after a garbage collection, since what is collected runs no longer. */
  get size(): number {
    const counted = this.#counted()
    if (counted < this.#max) this.#confirmed = false
    return this.#confirmed ? counted : Math.min(counted, this.#max - 1)
  }

  /** `turn` is what everything that its handler calls or awaits refers to. */
  add(turn: Overrunning): Overrun {
    const overrun = { turn: new WeakRef(turn), since: monotonicMs(), counted: false }
    this.#all.add(overrun)
    this.#checkSoon()
    return overrun
  }

  remove(overrun: Overrun): void {
    this.#all.delete(overrun)
  }

  stop(): void {
    clearTimeout(this.#check)
  }

  /** Has garbage collected and returns how many handlers run on; of those whose clients have just left nothing is known yet. */
  collected(): number {
    if (this.#all.size > 0) this.#collectAndFind()
    return this.#counted()
  }

  #counted(): number {
    let counted = 0
    for (const overrun of this.#all) {
      if (overrun.turn.deref() === undefined) this.#all.delete(overrun)
      else if (overrun.counted) counted++
    }
    return counted
  }

  #checkSoon(): void {
    if (this.#check || this.#all.size < this.#max) return
    const waitMs = Math.max(this.#mayCheckAt - monotonicMs(), 0)
    this.#check = setTimeout(() => this.#collectAndCount(), waitMs).unref()
  }

  #collectAndCount(): void {
    this.#check = undefined
    const began = monotonicMs()
    this.#collectAndFind()
    const now = monotonicMs()
    this.#mayCheckAt = now + Math.max(LEAST_PAUSE_MS, LEAST_PAUSE_RATIO * (now - began))
    this.#confirmed = this.#counted() >= this.#max
    this.#checkSoon()
  }

  #collectAndFind(): void {
    // Without a collection, those that are merely referred to cannot be told from those that are not.
    if (!this.#collect()) return
    const longAgo = monotonicMs() - this.#longMs
    for (const { turn, since, counted } of this.#all) if (!counted && since <= longAgo) turn.deref()?.runsOn()
  }
}

/**
 * Overrun handlers: handlers that have not ended although their turn has.
 *
 * If its client leaves, a `(req, res)` handler usually ends without a sign: it does nothing more, and nothing refers to
 * its turn. So a handler counts only if it is known to run: it ran past its deadline; or it wrote to the closed
 * response; or, LONG_MS after its client left and after a garbage collection, a timer, a socket or a pending promise
 * still refers to its turn.
 */
import { monotonicMs } from '../src/clock.js'
import { collectGarbage } from '../src/runtime/garbage.js'

/**
 * Returns the number of overrun handlers at which a process is recycled. Larger than the concurrency: their slots are
 * free again, so a few do no harm. Handlers that block the event loop are found by other means.
 */
export const mostOverrunHandlers = (concurrency: number): number => Math.max(4 * concurrency, 64)

/** Time for a handler to notice that its client has left, for example after a call to another service. */
const LONG_MS = 10_000

/**
 * Pause after a forced garbage collection: at least this, and at least LEAST_PAUSE_RATIO times as long as the
 * collection took.
 */
const LEAST_PAUSE_MS = 10_000
const LEAST_PAUSE_RATIO = 50

export interface Overrunning {
  /** Called when the handler is known to run on. */
  runsOn(): void
}

/** One overrun handler; does not keep its turn from being collected. */
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
  /** True if `max` counted handlers were left after the last collection. */
  #confirmed = false
  #check: NodeJS.Timeout | undefined
  #mayCheckAt = 0

  /** `collect` returns false if garbage cannot be collected by force. */
  constructor(max: number, longMs = LONG_MS, collect = collectGarbage) {
    this.#max = max
    this.#longMs = longMs
    this.#collect = collect
  }

  /** Number of handlers that run on. Reaches `max` only after a garbage collection has left so many. */
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

  /**
   * Collects garbage and returns the number of overrun handlers, without those whose clients left less than LONG_MS
   * ago.
   */
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
    // Without a collection a turn that nothing refers to looks like one that is in use.
    if (!this.#collect()) return
    const longAgo = monotonicMs() - this.#longMs
    for (const { turn, since, counted } of this.#all) if (!counted && since <= longAgo) turn.deref()?.runsOn()
  }
}

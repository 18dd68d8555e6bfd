/**
 * Deadlines: one timer for all turns in flight. Most turns end long before their deadline, so each costs one
 * comparison, not a timer.
 */
import { LONGEST_TIMER_MS, monotonicMs } from '../src/clock.js'

export interface Due {
  /** On the monotonic clock, ms; Infinity = never. */
  readonly dueAt: number
  /** Called once `dueAt` has passed. */
  overdue(): void
}

export class Deadlines {
  readonly #inFlight: Iterable<Due>
  #timer: NodeJS.Timeout | undefined
  #firesAt = Number.POSITIVE_INFINITY

  constructor(inFlight: Iterable<Due>) {
    this.#inFlight = inFlight
  }

  /** To be called for each new turn, and for one whose `dueAt` has become earlier. */
  watch(due: Due): void {
    if (due.dueAt < this.#firesAt) this.#arm(due.dueAt)
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#firesAt = Number.POSITIVE_INFINITY
  }

  #arm(at: number): void {
    clearTimeout(this.#timer)
    this.#firesAt = at
    if (at === Number.POSITIVE_INFINITY) return
    const wait = Math.min(Math.max(Math.ceil(at - monotonicMs()), 1), LONGEST_TIMER_MS)
    // A deadline does not keep the process alive.
    this.#timer = setTimeout(() => this.#sweep(), wait).unref()
  }

  #sweep(): void {
    const now = monotonicMs()
    let next = Number.POSITIVE_INFINITY
    for (const due of [...this.#inFlight]) {
      if (due.dueAt <= now) due.overdue()
      // A turn that has been cut is due again, at the end of its grace.
      if (due.dueAt > now && due.dueAt < next) next = due.dueAt
    }
    this.#arm(next)
  }
}

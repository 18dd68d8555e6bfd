/**
 * Deadlines: one timer for all that is in flight, such as the turns of a worker. Most of them end long before their
 * deadline, so each costs one comparison, not a timer.
 */
import { AsyncResource } from 'node:async_hooks'
import { LONGEST_TIMER_MS, monotonicMs } from '../clock.js'

export interface Due {
  /** On the monotonic clock, ms; Infinity = never. */
  readonly dueAt: number
  /** Called once `dueAt` has passed. */
  overdue(): void
}

/** A timer keeps the async context in which it is set and calls back in it: here, the context of no request. */
const context = new AsyncResource('takespace.Deadlines')

export class Deadlines {
  readonly #inFlight: Iterable<Due>
  #timer: NodeJS.Timeout | undefined
  #firesAt = Number.POSITIVE_INFINITY
  #keepsProcess = false

  constructor(inFlight: Iterable<Due>) {
    this.#inFlight = inFlight
  }

  /** Must be called for each new deadline, and if a `dueAt` becomes earlier. */
  watch(due: Due): void {
    if (due.dueAt < this.#firesAt) this.#arm(due.dueAt)
  }

  /** True keeps the process alive until the next deadline. Default false. */
  keepProcess(keeps: boolean): void {
    this.#keepsProcess = keeps
    if (keeps) this.#timer?.ref()
    else this.#timer?.unref()
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
    this.#timer = context.runInAsyncScope(() => setTimeout(() => this.#sweep(), wait))
    if (!this.#keepsProcess) this.#timer.unref()
  }

  #sweep(): void {
    const now = monotonicMs()
    let next = Number.POSITIVE_INFINITY
    // Callbacks may set the timer anew.
    this.#firesAt = next
    const overdue: Due[] = []
    for (const due of this.#inFlight) {
      if (due.dueAt <= now) overdue.push(due)
      else if (due.dueAt < next) next = due.dueAt
    }
    overdue.sort((a, b) => a.dueAt - b.dueAt)
    for (const due of overdue) {
      // A callback before this one may have prolonged it.
      if (due.dueAt <= now) callOverdue(due)
      // A turn that has been cut is due again, at the end of its grace.
      if (due.dueAt > now && due.dueAt < next) next = due.dueAt
    }
    if (next < this.#firesAt) this.#arm(next)
  }
}

/** Throws an error of `overdue` in a turn of its own, as a timer would: the others are called too. */
function callOverdue(due: Due): void {
  try {
    due.overdue()
  } catch (error) {
    process.nextTick(() => {
      throw error
    })
  }
}

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

/** Of no request: a timer keeps the async context in which it is set, and passes it on to those that it calls. */
const context = new AsyncResource('takespace.Deadlines')

export class Deadlines {
  readonly #inFlight: Iterable<Due>
  #timer: NodeJS.Timeout | undefined
  #firesAt = Number.POSITIVE_INFINITY
  #keepsProcess = false

  constructor(inFlight: Iterable<Due>) {
    this.#inFlight = inFlight
  }

  /** To be called for each that is new, and for one whose `dueAt` has become earlier. */
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
    // Those that are called may set the timer anew.
    this.#firesAt = next
    const overdue: Due[] = []
    for (const due of this.#inFlight) {
      if (due.dueAt <= now) overdue.push(due)
      else if (due.dueAt < next) next = due.dueAt
    }
    overdue.sort((a, b) => a.dueAt - b.dueAt)
    for (const due of overdue) {
      // One that was called before may have given this one more time.
      if (due.dueAt <= now) callOverdue(due)
      // A turn that has been cut is due again, at the end of its grace.
      if (due.dueAt > now && due.dueAt < next) next = due.dueAt
    }
    if (next < this.#firesAt) this.#arm(next)
  }
}

/** What one of them throws is not caught, like what a timer of its own throws, and the others are called too. */
function callOverdue(due: Due): void {
  try {
    due.overdue()
  } catch (error) {
    process.nextTick(() => {
      throw error
    })
  }
}

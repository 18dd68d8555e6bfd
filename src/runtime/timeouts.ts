/** Timeouts of requests and calls, all by one timer. */
import { LONGEST_TIMER_MS, monotonicMs } from '../clock.js'
import { Deadlines, type Due } from './deadlines.js'
import { InFlight, type Placed } from './in-flight.js'

export interface Timeout {
  /** Starts the time anew. */
  restart(): void
  /** Ends the timeout: nothing is called. */
  end(): void
}

export class Timeouts {
  readonly #running = new InFlight<Running>()
  readonly #deadlines = new Deadlines(this.#running)
  #isClosed = false

  /**
   * Calls `onOver` after `ms`, unless the timeout is ended before. A timeout keeps the process alive.
   *
   * @param ms a longer time than Node.js timers have (24 days) counts as that
   */
  start(ms: number, onOver: () => void): Timeout {
    const running = new Running(this, Math.min(ms, LONGEST_TIMER_MS), onOver)
    this.#running.add(running)
    if (this.#running.size === 1) this.#deadlines.keepProcess(true)
    this.#deadlines.watch(running)
    return running
  }

  /** Called by a timeout. Returns false if the timeout has ended before. */
  remove(running: Running): boolean {
    const isRemoved = this.#running.remove(running)
    if (this.#running.size === 0) this.#rest()
    return isRemoved
  }

  /** Leaves no timer once no timeout runs. Does not end timeouts that run. */
  close(): void {
    this.#isClosed = true
    if (this.#running.size === 0) this.#rest()
  }

  /** The timer stays set until it fires: the next timeout is often not due before that. */
  #rest(): void {
    if (this.#isClosed) this.#deadlines.stop()
    else this.#deadlines.keepProcess(false)
  }
}

class Running implements Timeout, Due, Placed {
  place = -1
  dueAt: number
  readonly #of: Timeouts
  readonly #ms: number
  readonly #onOver: () => void

  constructor(of: Timeouts, ms: number, onOver: () => void) {
    this.dueAt = monotonicMs() + ms
    this.#of = of
    this.#ms = ms
    this.#onOver = onOver
  }

  restart(): void {
    this.dueAt = monotonicMs() + this.#ms
  }

  end(): void {
    this.#of.remove(this)
  }

  overdue(): void {
    if (this.#of.remove(this)) this.#onOver()
  }
}

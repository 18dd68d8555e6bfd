/** A wait with an end: settled once, by a value, its timeout, its signal, or an error. */

import { LONGEST_TIMER_MS, monotonicMs } from '../clock.js'
import { onAbort } from './abort.js'

export class Wait<T> {
  readonly promise: Promise<T>
  #resolve!: (value: T) => void
  #reject!: (reason: unknown) => void
  #timer: NodeJS.Timeout | undefined
  #unlisten: (() => void) | undefined
  #settled = false

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  get settled(): boolean {
    return this.#settled
  }

  /**
   * Calls `onTimeout` after `ms` (Infinity: never) and `onAborted` when the signal fires, unless it is settled before.
   */
  until(ms: number, onTimeout: () => void, signal: AbortSignal | undefined, onAborted: () => void): this {
    if (ms !== Number.POSITIVE_INFINITY) this.#startTimer(monotonicMs() + ms, onTimeout)
    if (signal) this.#unlisten = onAbort(signal, onAborted)
    return this
  }

  resolve(value: T): void {
    if (this.#end()) this.#resolve(value)
  }

  reject(reason: unknown): void {
    if (this.#end()) this.#reject(reason)
  }

  #startTimer(endsAt: number, onTimeout: () => void): void {
    const left = endsAt - monotonicMs()
    this.#timer = setTimeout(
      // Timers may fire up to a millisecond early; a wait never ends before its time (JavaSpaces).
      () => (monotonicMs() >= endsAt ? onTimeout() : this.#startTimer(endsAt, onTimeout)),
      Math.min(Math.max(Math.ceil(left), 0), LONGEST_TIMER_MS),
    )
  }

  #end(): boolean {
    if (this.#settled) return false
    this.#settled = true
    clearTimeout(this.#timer)
    this.#unlisten?.()
    return true
  }
}

/** The lease clock of the space, as far as this process knows it from replies; and when the space last replied. */
import { monotonicMs } from '../../../clock.js'

/** A reply tells what time it is for this long. */
const KNOWN_MS = 60_000

export class LeaseClock {
  #heardAt = 0
  #told: { readonly now: number; readonly at: number } | undefined

  /** The space has replied, with the lease clock if the reply told it. */
  heard(now?: number): void {
    this.#heardAt = monotonicMs()
    if (now !== undefined) this.#told = { now, at: this.#heardAt }
  }

  /** Another history may have another clock. */
  forget(): void {
    this.#told = undefined
  }

  /** How long ago the space last replied, ms. */
  get silentMs(): number {
    return monotonicMs() - this.#heardAt
  }

  /** About what time it is on the lease clock; undefined if no reply has told so for a minute. */
  get now(): number | undefined {
    if (!this.#told) return undefined
    const passed = monotonicMs() - this.#told.at
    return passed < KNOWN_MS ? this.#told.now + passed : undefined
  }
}

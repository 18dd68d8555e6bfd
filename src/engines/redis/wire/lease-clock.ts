/** The lease clock of the space, estimated from replies, and the time of the last reply. */
import { monotonicMs } from '../../../clock.js'

/** A reading of the lease clock is used for this long. */
const KNOWN_MS = 60_000

export class LeaseClock {
  #heardAt = 0
  #reading: { readonly now: number; readonly at: number } | undefined

  /** Notes a reply, with the lease clock if the reply has it. */
  heard(now?: number): void {
    this.#heardAt = monotonicMs()
    if (now !== undefined) this.#reading = { now, at: this.#heardAt }
  }

  /** Forgets the reading: another history may have another clock. */
  forget(): void {
    this.#reading = undefined
  }

  /** How long ago the space last replied, ms. */
  get silentMs(): number {
    return monotonicMs() - this.#heardAt
  }

  /** The lease clock, estimated; undefined if no reply of the last minute had a reading. */
  get now(): number | undefined {
    if (!this.#reading) return undefined
    const passed = monotonicMs() - this.#reading.at
    return passed < KNOWN_MS ? this.#reading.now + passed : undefined
  }
}

/**
 * The lease of this process's presence, as far as the process can rely on it. The lease in the space begins when the
 * space handles a renewal, which is after the renewal was sent: so the process counts from the sending, on its own
 * monotonic clock, and only renewals with a reply.
 */
import { monotonicMs } from '../../../clock.js'
import { SHARED } from '../protocol.js'

/**
 * The process gives up this long before the lease can end: time for a handler that heeds its signal to end before its
 * request runs elsewhere.
 */
const MARGIN_MS = 1_000

export class PresenceLease {
  #askedAt = Number.NEGATIVE_INFINITY
  #renewedAt = Number.NEGATIVE_INFINITY

  /** To be called when a renewal is sent. Returns the time, for `renewed()`. */
  asked(): number {
    this.#askedAt = monotonicMs()
    return this.#askedAt
  }

  /** To be called when the renewal that was sent at `askedAt` has its reply. */
  renewed(askedAt: number): void {
    if (askedAt > this.#renewedAt) this.#renewedAt = askedAt
  }

  /** Returns whether a renewal was sent in the last `ms`. */
  askedWithin(ms: number): boolean {
    return monotonicMs() - this.#askedAt < ms
  }

  /** Time for which the process can rely on what it holds, in ms; 0 or less if it cannot. */
  get remainingMs(): number {
    return this.#renewedAt + SHARED.presenceLeaseMs - MARGIN_MS - monotonicMs()
  }
}

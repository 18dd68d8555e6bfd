/** The entry by which a process tells of itself: written anew every few seconds and at each change, under a short lease. */
import { monotonicMs, wallMs } from '../clock.js'
import type { Lease } from '../space/lease.js'
import type { Space } from '../space.js'
import { ProcessPresence, type ProcessReport } from './kinds.js'

/** Time between two reports of a process whose state does not change. */
const REPORT_MS = 3_000
/** After this time without a report the entry is gone. */
const REPORT_LEASE_MS = 10_000
/** The event loop is looked at as often. */
const LOOK_MS = 500

export class PresenceEntry {
  readonly #space: Space
  readonly #report: () => Omit<ProcessReport, 'loopLagMs' | 'at'>
  #lease: Lease | undefined
  #loopLagMs = 0
  #writing: Promise<void> | undefined
  #isStale = false
  #looking: NodeJS.Timeout | undefined
  #reportedAt = 0
  #isStarted = false

  constructor(space: Space, report: () => Omit<ProcessReport, 'loopLagMs' | 'at'>) {
    this.#space = space
    this.#report = report
  }

  start(): void {
    this.#isStarted = true
    this.changed()
    // The space ends with its process, and nobody looks from outside.
    if (this.#space.isOfThisProcess) return
    let due = monotonicMs() + LOOK_MS
    this.#looking = setInterval(() => {
      const now = monotonicMs()
      this.#loopLagMs = Math.max(this.#loopLagMs, now - due)
      due = now + LOOK_MS
      if (now - this.#reportedAt >= REPORT_MS) this.changed()
    }, LOOK_MS).unref()
  }

  /** Writes it anew. Calls while it is being written are one more write. */
  changed(): void {
    this.#isStale = true
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined
    })
  }

  /** Removes it; if the space is away, its lease does. */
  async stop(): Promise<void> {
    clearInterval(this.#looking)
    this.#isStarted = false
    await this.#writing
    await this.#lease?.cancel().catch(() => {})
    this.#lease = undefined
  }

  async #write(): Promise<void> {
    while (this.#isStale && this.#isStarted) {
      this.#isStale = false
      this.#reportedAt = monotonicMs()
      const loopLagMs = Math.round(this.#loopLagMs)
      this.#loopLagMs = 0
      const entry = ProcessPresence({ ...this.#report(), loopLagMs, at: wallMs() })
      try {
        const leaseMs = this.#space.isOfThisProcess ? Number.POSITIVE_INFINITY : REPORT_LEASE_MS
        const lease = await this.#space.write(entry, { leaseMs })
        // Readers that meet both take the newer one.
        await this.#lease?.cancel().catch(() => {})
        this.#lease = lease
      } catch {
        // The space is away or full: the next report tells it.
      }
    }
  }
}

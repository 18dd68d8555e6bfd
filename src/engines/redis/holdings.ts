/** Holdings: what this process holds and waits for in the space, in all parts of the engine. */
import type { Acceptance } from './acceptance.js'
import type { Claims } from './claim.js'
import type { Finds } from './find.js'
import type { Registrations } from './notify.js'
import type { Requests } from './requests.js'
import type { SessionEntriesOnRedis } from './session-entry.js'
import type { Transactions } from './transaction.js'
import type { Writes } from './write.js'

export interface Parts {
  readonly acceptance: Acceptance
  readonly claims: Claims
  readonly finds: Finds
  readonly registrations: Registrations
  readonly requests: Requests
  readonly sessions: SessionEntriesOnRedis
  readonly transactions: Transactions
  readonly writes: Writes
}

export class Holdings {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Returns every claim that this process knows to hold, and its transactions. */
  claims(): string[] {
    return [...this.#ofEntries(), ...this.#parts.transactions.names()]
  }

  /**
   * Requests waits, offers and registrations anew. `afresh`: the presence is new, so outcomes that were due in the
   * meantime may not have been pushed.
   */
  askAnew(afresh: boolean): void {
    const { writes, requests, finds, claims, sessions, registrations } = this.#parts
    writes.askAnew()
    requests.askAnew(afresh)
    finds.askAnew()
    claims.askAnew()
    sessions.askAnew()
    registrations.askAnew()
  }

  /** Reports now what would otherwise wait for the next batch. */
  report(): void {
    this.#parts.requests.report()
  }

  /** The lease may end in the space: tells the holders of all claims. */
  leaseEnded(): void {
    this.#parts.claims.lost(() => true)
  }

  /** Returns what this process holds and waits for, as the library says it (knownOf in wait.lua). */
  known(): string {
    const { claims, finds } = this.#parts
    const { count, credit } = claims.offers
    return `${this.#ofEntries().length} ${finds.registered + count} ${credit}`
  }

  #ofEntries(): string[] {
    const { acceptance, claims, sessions } = this.#parts
    return [...acceptance.claims(), ...claims.claims(), ...sessions.claims()]
  }
}

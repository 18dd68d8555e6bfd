/**
 * Lease: how long something stays in the space without renewal.
 *
 * The space's clock decides when a lease has ended; from that moment its entry is seen by nobody, whenever it is swept away. A holder
 * should count from when it *asked* (JavaSpaces, Distributed Leasing §LE.2): the grant began no earlier than that, so a holder that
 * stops at asked + granted never believes in a lease that the space has ended. `expiresAt` is on the space's wall clock, for people.
 */
import type { Engine, Grant } from './engine.js'
import { SpaceError } from './errors.js'

export class Lease {
  readonly #engine: Engine
  /** The entry's id. */
  readonly id: string
  #expiresAt: number

  /** @internal */
  constructor(engine: Engine, id: string, grant: Grant) {
    this.#engine = engine
    this.id = id
    this.#expiresAt = grant.expiresAt
  }

  /** When it ends: milliseconds since 1970 on the space's clock; Infinity = never. */
  get expiresAt(): number {
    return this.#expiresAt
  }

  /**
   * Makes it end `leaseMs` from now: not from its old end, so a renewal may shorten. On failure the old lease stays as it was.
   * @throws SpaceError LEASE_UNKNOWN if it has ended, was cancelled, or its entry was taken
   */
  async renew(leaseMs: number): Promise<void> {
    const grant = await this.#engine.renew(this.id, checkedLease(leaseMs))
    if (!grant) throw new SpaceError('LEASE_UNKNOWN')
    this.#expiresAt = grant.expiresAt
  }

  /**
   * Ends it now: the entry is gone.
   * @throws SpaceError LEASE_UNKNOWN as `renew` does, also on a second call
   */
  async cancel(): Promise<void> {
    if (!(await this.#engine.cancel(this.id))) throw new SpaceError('LEASE_UNKNOWN')
  }
}

/** @throws SpaceError INVALID_ARGUMENT unless it is a number of milliseconds ≥ 0, or Infinity */
export function checkedLease(leaseMs: number): number {
  if (typeof leaseMs !== 'number' || Number.isNaN(leaseMs) || leaseMs < 0) {
    throw new SpaceError('INVALID_ARGUMENT', `leaseMs is milliseconds ≥ 0 or Infinity, not ${String(leaseMs)}.`)
  }
  return leaseMs
}

/**
 * Lease: how long something stays in the space without renewal.
 *
 * The space's clock decides when a lease has ended; from that moment no find sees the entry, whenever it is swept. A
 * holder counts from when it *asked* (JavaSpaces, Distributed Leasing §LE.2): the grant began no earlier, so a holder
 * that stops at asked + granted never relies on a lease that the space has ended. `expiresAt` is on the space's wall
 * clock, for display.
 */
import { monotonicMs } from '../clock.js'
import type { Engine, Grant } from '../engine.js'
import { isSpaceError, SpaceError } from '../errors.js'

export class Lease {
  readonly #engine: Engine
  /** The entry's id. */
  readonly id: string
  #expiresAt: number
  #leaseMs: number
  /** On this process's monotonic clock. */
  #trustedUntil: number

  /** @internal `asked` is when the request was about to be sent, on the monotonic clock. */
  constructor(engine: Engine, id: string, grant: Grant, leaseMs: number, asked: number) {
    this.#engine = engine
    this.id = id
    this.#expiresAt = grant.expiresAt
    this.#leaseMs = leaseMs
    this.#trustedUntil = asked + leaseMs
  }

  /** The end of the lease: ms since 1970 on the space's clock; Infinity = never. */
  get expiresAt(): number {
    return this.#expiresAt
  }

  /** The duration that was granted at the write or the last renewal, in ms. */
  get leaseMs(): number {
    return this.#leaseMs
  }

  /**
   * How long this process may still rely on the lease, in ms: measured on its monotonic clock from when the last
   * granted request was sent (JavaSpaces, Distributed Leasing §LE.2). 0: it has ended, or may have. Infinity: for ever.
   * Others may still cancel it, or take its entry.
   */
  get expiresInMs(): number {
    return Math.max(this.#trustedUntil - monotonicMs(), 0)
  }

  /**
   * Makes the lease end `leaseMs` from now, which may be earlier than before. On failure the old lease remains.
   * @throws SpaceError LEASE_UNKNOWN if it has ended, was cancelled, or its entry was taken; INVALID_ARGUMENT,
   *   SPACE_UNREACHABLE, SPACE_CLOSED
   */
  async renew(leaseMs: number): Promise<void> {
    const asked = monotonicMs()
    const until = asked + checkedLease(leaseMs)
    let grant: Grant | null
    try {
      grant = await this.#engine.renew(this.id, leaseMs)
    } catch (error) {
      // The renewal may have happened, and may have shortened the lease.
      if (isSpaceError(error, 'SPACE_UNREACHABLE')) this.#trustedUntil = Math.min(this.#trustedUntil, until)
      throw error
    }
    if (!grant) {
      this.#trustedUntil = Number.NEGATIVE_INFINITY
      throw new SpaceError('LEASE_UNKNOWN')
    }
    this.#expiresAt = grant.expiresAt
    this.#leaseMs = leaseMs
    this.#trustedUntil = until
  }

  /**
   * Ends the lease now and removes the entry.
   * @throws SpaceError LEASE_UNKNOWN as `renew` does, also on a second call; OUTCOME_UNKNOWN, SPACE_UNREACHABLE,
   *   SPACE_CLOSED
   */
  async cancel(): Promise<void> {
    let known: boolean
    try {
      known = await this.#engine.cancel(this.id)
    } catch (error) {
      if (isSpaceError(error, 'OUTCOME_UNKNOWN')) this.#trustedUntil = Number.NEGATIVE_INFINITY
      throw error
    }
    this.#trustedUntil = Number.NEGATIVE_INFINITY
    if (!known) throw new SpaceError('LEASE_UNKNOWN')
  }
}

/** A failed renewal or cancellation. */
export interface LeaseFailure {
  readonly lease: Lease
  readonly error: SpaceError
}

/** @throws SpaceError INVALID_ARGUMENT */
export function checkedLeases(leases: readonly Lease[]): readonly Lease[] {
  if (!Array.isArray(leases) || !leases.every((lease) => lease instanceof Lease)) {
    throw new SpaceError('INVALID_ARGUMENT', 'leases is a list of what write returned.')
  }
  return leases
}

/** Returns a duration for each lease. Throws INVALID_ARGUMENT unless there is one for all or one for each. */
export function checkedDurations(leases: readonly Lease[], leaseMs: number | readonly number[]): readonly number[] {
  const durations = checkedLeases(leases).map((_, i) => checkedLease(Array.isArray(leaseMs) ? leaseMs[i] : leaseMs))
  if (!Array.isArray(leaseMs) || leaseMs.length === leases.length) return durations
  throw new SpaceError('INVALID_ARGUMENT', `There are ${leases.length} leases and ${leaseMs.length} durations.`)
}

/** Number of leases that are dealt with at a time: far fewer than the operations that may wait to be sent. */
const AT_A_TIME = 2_000

/** Calls `act` for all leases, many in one turn of the event loop, so that they are few calls. Returns the failures. */
export async function forAll(
  leases: readonly Lease[],
  act: (lease: Lease, i: number) => Promise<void>,
): Promise<LeaseFailure[]> {
  const failures: LeaseFailure[] = []
  for (let from = 0; from < leases.length; from += AT_A_TIME) {
    const some = leases.slice(from, from + AT_A_TIME)
    const results = await Promise.allSettled(some.map((lease, i) => act(lease, from + i)))
    for (const [i, result] of results.entries()) {
      if (result.status === 'rejected') failures.push({ lease: some[i]!, error: result.reason as SpaceError })
    }
  }
  return failures
}

/** @throws SpaceError INVALID_ARGUMENT unless it is a number of milliseconds ≥ 0, or Infinity */
export function checkedLease(ms: number, name = 'leaseMs'): number {
  if (typeof ms !== 'number' || Number.isNaN(ms) || ms < 0) {
    throw new SpaceError(
      'INVALID_ARGUMENT',
      `${name} must be a number of milliseconds ≥ 0 or Infinity, not ${String(ms)}.`,
    )
  }
  return ms
}

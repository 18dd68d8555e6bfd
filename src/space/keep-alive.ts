/**
 * KeepAlive: renews leases until it is stopped, or until a lease is lost (JavaSpaces, LeaseRenewalManager).
 *
 * It uses the holder's own monotonic clock (see lease.ts). A lease is renewed when half of its rest has passed; all
 * leases of which a third has passed are renewed in the same call. Transient failures are retried while the lease
 * lasts.
 */
import { LONGEST_TIMER_MS, monotonicMs } from '../clock.js'
import { onlyKnown } from '../errors/unknown-option.js'
import { SpaceError } from '../errors.js'
import type { Logger } from '../log.js'
import { checkedLease, checkedLeases, type Lease } from './lease.js'

export interface KeepAliveOptions {
  /** How long to keep the leases alive, in ms from now; they end about then. Default Infinity. */
  readonly untilMs?: number | undefined
  /**
   * Called once for each lost lease: it was cancelled or its entry was taken (both LEASE_UNKNOWN), or it could not be
   * renewed in time (SPACE_UNREACHABLE). Called no later than the moment from which the holder may not rely on the
   * lease. Errors that it throws are logged.
   */
  onLost?(lease: Lease, error: SpaceError): unknown
}

const OPTIONS: ReadonlySet<string> = new Set(['untilMs', 'onLost'])

interface KeptLease {
  readonly lease: Lease
  /** The duration of each renewal: that of the lease when it was added. */
  readonly leaseMs: number
  /** When it may be renewed together with others, and when it has to be. */
  from: number
  due: number
  renewing: boolean
  error: SpaceError | undefined
}

/** Timers are late rather than early, and a loss must not be reported late. */
const MARGIN_MS = 10
/** Pause after a failure. */
const RETRY_MS = 25

export class KeepAlive {
  readonly #kept = new Map<Lease, KeptLease>()
  readonly #until: number
  readonly #onLost: KeepAliveOptions['onLost']
  readonly #logger: Logger
  readonly #onEnd: (keepAlive: KeepAlive) => void
  #timer: NodeJS.Timeout | undefined
  #ended = false

  /** @internal Use space.keepAlive. */
  constructor(
    leases: readonly Lease[],
    options: KeepAliveOptions,
    logger: Logger,
    onEnd: (keepAlive: KeepAlive) => void,
  ) {
    onlyKnown('keepAlive', options, OPTIONS)
    const { untilMs = Number.POSITIVE_INFINITY, onLost } = options
    this.#until = monotonicMs() + checkedLease(untilMs, 'untilMs')
    if (onLost !== undefined && typeof onLost !== 'function') {
      throw new SpaceError('INVALID_ARGUMENT', 'onLost is a function.')
    }
    this.#onLost = onLost
    this.#logger = logger
    this.#onEnd = onEnd
    for (const lease of checkedLeases(leases)) this.#keep(lease)
    this.#plan()
  }

  /**
   * Adds a lease; one that is kept already stays as it is.
   * @throws SpaceError INVALID_ARGUMENT if it is not a lease, or this keepAlive has ended
   */
  add(lease: Lease): void {
    if (this.#ended) throw new SpaceError('INVALID_ARGUMENT', 'This keepAlive has ended; make another one.')
    checkedLeases([lease])
    if (this.#kept.has(lease)) return
    this.#keep(lease)
    this.#plan()
  }

  /** Stops renewing a lease, which then ends by itself. Does nothing if the lease is not kept. */
  remove(lease: Lease): void {
    this.#kept.delete(lease)
  }

  /** Stops renewing and reporting. The leases end by themselves. */
  stop(): void {
    if (this.#ended) return
    this.#ended = true
    clearTimeout(this.#timer)
    this.#kept.clear()
    this.#onEnd(this)
  }

  #keep(lease: Lease): void {
    const kept: KeptLease = { lease, leaseMs: lease.leaseMs, from: 0, due: 0, renewing: false, error: undefined }
    this.#kept.set(lease, kept)
    planRenewal(kept)
  }

  /** One timer for all leases; it does not keep the process alive. */
  #plan(): void {
    if (this.#ended) return
    let next = this.#until
    for (const kept of this.#kept.values())
      next = Math.min(next, kept.renewing ? endOf(kept) : Math.min(kept.due, endOf(kept)))
    clearTimeout(this.#timer)
    if (next === Number.POSITIVE_INFINITY) return
    const ms = Math.min(Math.max(next - monotonicMs(), 0), LONGEST_TIMER_MS)
    this.#timer = setTimeout(() => this.#look(), ms).unref()
  }

  #look(): void {
    const now = monotonicMs()
    if (now >= this.#until) return this.stop()
    for (const kept of this.#kept.values()) if (endOf(kept) <= now) this.#lose(kept, kept.error ?? tooLate(kept))
    const ready = [...this.#kept.values()].filter(({ renewing, from }) => !renewing && from <= now)
    // Calls of one turn of the event loop are one batch.
    if (ready.some(({ due }) => due <= now)) {
      void Promise.all(ready.map((kept) => this.#renew(kept, now))).then(() => this.#plan())
    }
    // If a renewal gets no reply, this timer fires before other leases are due.
    this.#plan()
  }

  async #renew(kept: KeptLease, now: number): Promise<void> {
    const { lease } = kept
    const left = this.#until - now
    if (lease.expiresInMs >= left) {
      this.#kept.delete(lease)
      return
    }
    kept.renewing = true
    try {
      await lease.renew(Math.min(kept.leaseMs, left))
      kept.error = undefined
      planRenewal(kept)
    } catch (error) {
      this.#failed(kept, error as SpaceError)
    }
    kept.renewing = false
  }

  #failed(kept: KeptLease, error: SpaceError): void {
    const { code, retryable } = error
    if (code === 'SPACE_CLOSED') return this.stop()
    // A renewal may be repeated, so an unknown outcome counts as a failure.
    if (!retryable && code !== 'OUTCOME_UNKNOWN') return this.#lose(kept, error)
    kept.error = error
    kept.due = monotonicMs() + Math.max(kept.lease.expiresInMs / 4, RETRY_MS)
    kept.from = kept.due
  }

  #lose(kept: KeptLease, error: SpaceError): void {
    const { lease } = kept
    // Removed or lost meanwhile: not reported, or not again.
    if (this.#kept.get(lease) !== kept) return
    this.#kept.delete(lease)
    const report = async (): Promise<unknown> => this.#onLost?.(lease, error)
    report().catch((thrown) => this.#logger.error({ err: thrown, lease: lease.id }, 'onLost failed'))
    if (!this.#onLost) this.#logger.warn({ lease: lease.id, code: error.code }, 'a lease was lost')
  }
}

/** Plans the renewal from the rest of the lease. */
function planRenewal(kept: KeptLease): void {
  const now = monotonicMs()
  const left = kept.lease.expiresInMs
  kept.from = now + left / 3
  kept.due = now + left / 2
}

/** Returns when the loss of the lease is reported. */
const endOf = ({ lease, leaseMs }: KeptLease): number =>
  monotonicMs() + lease.expiresInMs - Math.min(MARGIN_MS, Math.max(leaseMs / 10, 1))

const tooLate = ({ renewing }: KeptLease): SpaceError =>
  renewing
    ? new SpaceError('SPACE_UNREACHABLE', 'The renewal of the lease was not answered before its end.')
    : new SpaceError('LEASE_UNKNOWN', 'The lease ended before its renewal.')

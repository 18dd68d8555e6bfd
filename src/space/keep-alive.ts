/**
 * KeepAlive: renews leases until it is stopped, or until one is lost (JavaSpaces, LeaseRenewalManager).
 *
 * It goes by what the holder may trust (see lease.ts), on this process's monotonic clock: a lease is renewed at half of what is left of
 * it, and all that have passed a third go along, in one call. What fails for now is tried again while the lease lasts.
 */
import { LONGEST_TIMER_MS, monotonicMs } from '../clock.js'
import { onlyKnown } from '../errors/unknown-option.js'
import { SpaceError } from '../errors.js'
import type { Logger } from '../log.js'
import { checkedLease, checkedLeases, type Lease } from './lease.js'

export interface KeepAliveOptions {
  /** How long to keep them alive in all, in ms from now; they end about then. Default Infinity. */
  readonly untilMs?: number | undefined
  /**
   * A lease is lost: it was cancelled, its entry was taken (both LEASE_UNKNOWN), or it could not be renewed in time (SPACE_UNREACHABLE).
   * Called once for each, no later than the moment from which the holder may not rely on it. What it throws is logged and disturbs nothing.
   */
  onLost?(lease: Lease, error: SpaceError): unknown
}

const OPTIONS: ReadonlySet<string> = new Set(['untilMs', 'onLost'])

interface KeptLease {
  readonly lease: Lease
  /** What is asked for each time: what it had when it came. */
  readonly leaseMs: number
  /** From when it may be renewed along with others, and when it must be. */
  from: number
  due: number
  renewing: boolean
  error: SpaceError | undefined
}

/** A timer comes late rather than early; a loss must not be reported late. */
const MARGIN_MS = 10
/** Not sooner after a failure. */
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
   * Keeps one more; one that is kept already stays as it is.
   * @throws SpaceError INVALID_ARGUMENT if it is no lease, or if this has been stopped
   */
  add(lease: Lease): void {
    if (this.#ended) throw new SpaceError('INVALID_ARGUMENT', 'This keepAlive has ended; make another one.')
    checkedLeases([lease])
    if (this.#kept.has(lease)) return
    this.#keep(lease)
    this.#plan()
  }

  /** Renews it no more: it ends by itself unless it is renewed by hand. Nothing happens if it is not kept. */
  remove(lease: Lease): void {
    this.#kept.delete(lease)
  }

  /** Renews nothing more and reports nothing more. The leases end by themselves. */
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

  /** One timer for all. It keeps no process alive: who has nothing else to do does not need its leases. */
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
    // Issued in one turn, they travel together.
    if (ready.some(({ due }) => due <= now)) {
      void Promise.all(ready.map((kept) => this.#renew(kept, now))).then(() => this.#plan())
    }
    // Should one not be answered: by then the others are not due before this wakes up for it.
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
    // A renewal may be repeated, so not to know whether it took effect is as good as to know that it did not.
    if (!retryable && code !== 'OUTCOME_UNKNOWN') return this.#lose(kept, error)
    kept.error = error
    kept.due = monotonicMs() + Math.max(kept.lease.expiresInMs / 4, RETRY_MS)
    kept.from = kept.due
  }

  #lose(kept: KeptLease, error: SpaceError): void {
    const { lease } = kept
    // Removed or lost while its renewal was under way: nobody is told, or told again.
    if (this.#kept.get(lease) !== kept) return
    this.#kept.delete(lease)
    const report = async (): Promise<unknown> => this.#onLost?.(lease, error)
    report().catch((thrown) => this.#logger.error({ err: thrown, lease: lease.id }, 'onLost failed'))
    if (!this.#onLost) this.#logger.warn({ lease: lease.id, code: error.code }, 'a lease was lost')
  }
}

/** Anew from what is left of it. */
function planRenewal(kept: KeptLease): void {
  const now = monotonicMs()
  const left = kept.lease.expiresInMs
  kept.from = now + left / 3
  kept.due = now + left / 2
}

/** From when its holder is told that it may not rely on it. */
const endOf = ({ lease, leaseMs }: KeptLease): number =>
  monotonicMs() + lease.expiresInMs - Math.min(MARGIN_MS, Math.max(leaseMs / 10, 1))

const tooLate = ({ renewing }: KeptLease): SpaceError =>
  renewing
    ? new SpaceError('SPACE_UNREACHABLE', 'Its renewal was not answered in time.')
    : new SpaceError('LEASE_UNKNOWN', 'It was not renewed in time.')

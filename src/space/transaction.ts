/**
 * Transaction: its operations take effect together when it commits, or not at all (JavaSpaces, Transactions §TX).
 *
 * It has a lease, counted on this process's monotonic clock from when it was asked for, so the space never ends it
 * before its owner knows. When the lease ends, or the owner is gone, it is aborted: its takes are undone, its writes
 * are dropped.
 */

import { LONGEST_TIMER_MS, monotonicMs, wallMs } from '../clock.js'
import type { CompletionEffects, Delivery, EncodedEntry, Engine, Grant } from '../engine.js'
import { onlyKnown } from '../errors/unknown-option.js'
import { isSpaceError, SpaceError } from '../errors.js'
import { underAny } from '../runtime/abort.js'
import { checkedLease } from './lease.js'

/** A forgotten lock must end by itself. */
const LONGEST_TRANSACTION_LEASE_MS = 3_600_000

const DEFAULT_TRANSACTION_LEASE_MS = 10_000

/** More writes are sent before the end: together with it they would hold the server for too long. */
const MOST_WITH_END = 1_000

export interface TransactionOptions {
  /**
   * How long the transaction may take unless renewed, in ms; then it is aborted. At most an hour is granted. Default 10
   * 000.
   */
  readonly leaseMs?: number | undefined
  /**
   * `all`: it may write, take and read in all partitions of the space (docs/partitions.md). Its commit then takes two more
   * calls for each partition but one, if it has effects in several. Default: it lives in the partition of its first
   * effect, and refuses others with OTHER_PARTITION. In a space of one partition both are the same.
   */
  readonly span?: 'all' | undefined
}

const OPTIONS: ReadonlySet<string> = new Set(['leaseMs', 'span'])

/** @throws SpaceError INVALID_ARGUMENT */
export function checkedTransaction(options: TransactionOptions): TransactionOptions {
  const known = onlyKnown('A transaction', options, OPTIONS)
  if (known.span === undefined || known.span === 'all') return known
  throw new SpaceError('INVALID_ARGUMENT', "span is 'all', or left out.")
}

export class Transaction implements AsyncDisposable {
  readonly #engine: Engine
  /** @internal */
  readonly id: string
  readonly #onOver: (transaction: Transaction) => void
  #state: 'open' | 'ending' | 'over' = 'open'
  #endsAt = 0
  #expiresAt = 0
  #timer: NodeJS.Timeout | undefined
  /** Pending writes: a commit waits for them. */
  readonly #writes = new Set<Promise<unknown>>()
  /** Pending schema checks of writes. */
  readonly #checked = new Set<Promise<unknown>>()
  /** Pending finds: a commit waits until their takes have been returned. */
  readonly #finds = new Set<Promise<unknown>>()
  /**
   * True for the transaction of a request: its writes are sent with the response, unless something is read or taken
   * before.
   */
  readonly #ofRequest: boolean
  /**
   * Deferred writes: those of a request, and those of this turn of the event loop, which are sent with a commit in the
   * same turn.
   */
  #deferred: DeferredWrite[] = []
  #turn: NodeJS.Immediate | undefined
  /** True if a registration reports its writes. */
  #watched = false
  /** The failure because of which it can only be aborted. */
  #failure: unknown
  #aborted: SpaceError | undefined
  /** Both are made when first read. */
  #signal: AbortController | undefined
  #waits: AbortController | undefined
  /** True once `over` was read. */
  #heeded = false

  /** @internal Use space.begin or space.transact, or `currentRequest().transaction`. */
  constructor(
    engine: Engine,
    leaseMs: number | undefined,
    onOver: (transaction: Transaction) => void,
    request?: Delivery,
    spans?: boolean,
  ) {
    this.#engine = engine
    this.#ofRequest = request !== undefined
    this.#onOver = onOver
    const granted = grantedOf(leaseMs)
    this.id = engine.begin(granted, () => this.#over(new SpaceError('TRANSACTION_ENDED')), request, spans)
    this.#trust(monotonicMs(), granted)
  }

  /** The end of its lease: ms since 1970 on this machine's clock. */
  get expiresAt(): number {
    return this.#expiresAt
  }

  /** Fires if it ends uncommitted: its lease is over, it was aborted, or the space has closed. */
  get signal(): AbortSignal {
    this.#signal ??= new AbortController()
    if (this.#aborted) this.#signal.abort(this.#aborted)
    return this.#signal.signal
  }

  /**
   * Renews its lease: it ends `leaseMs` from now.
   * @throws SpaceError TRANSACTION_ENDED, INVALID_ARGUMENT, SPACE_UNREACHABLE
   */
  async renew(leaseMs: number): Promise<void> {
    const granted = grantedOf(leaseMs)
    this.check()
    const asked = monotonicMs()
    await this.#engine.renewTransaction(this.id, granted)
    if (this.#state === 'open') this.#trust(asked, granted)
  }

  /**
   * Commits. When the promise resolves, all effects are visible. Writes that were not awaited are sent with it. Of
   * finds that were not awaited, those that have a match return it, the others reject with TRANSACTION_ENDED.
   * @throws SpaceError TRANSACTION_ENDED: nothing was done; OUTCOME_UNKNOWN: all or nothing, unknown which; the error
   *   of a write under it: it is aborted; SPACE_FULL: no room for the writes that are sent with it (at most 1,000;
   *   more are sent ahead), nothing was done, the transaction is still open and may be committed again;
   *   OLDER_PROCESSES: it has effects in several partitions and is aborted
   */
  async commit(): Promise<void> {
    this.check()
    this.#refuseOfRequest()
    await this.#allChecked()
    this.check()
    this.#state = 'ending'
    const kept = this.#keptIfFew()
    await this.#settled()
    if (this.#failure === undefined) {
      try {
        await this.#engine.commit(this.id, kept.flatMap(remainingEntries))
        this.#over(undefined)
        return
      } catch (error) {
        if (isSpaceError(error, 'SPACE_FULL') && this.#reopened(kept)) throw error
        this.#failure = error
      }
    }
    await this.#giveUp()
    throw this.#failure
  }

  /** Aborts. When the promise resolves, entries that it took can be found again. Does nothing if it has ended. */
  async abort(): Promise<void> {
    this.#refuseOfRequest()
    await this.end()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.abort()
  }

  /** @internal */
  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** @internal @throws SpaceError TRANSACTION_ENDED */
  check(): void {
    if (this.#state !== 'open') throw new SpaceError('TRANSACTION_ENDED')
  }

  /** @internal Returns whether it belongs to the space with this engine. */
  isOf(engine: Engine): boolean {
    return this.#engine === engine
  }

  /** @internal Aborts it, also that of a request. */
  async end(): Promise<void> {
    if (this.#state !== 'open') return
    this.#state = 'ending'
    await this.#giveUp()
  }

  /** Reopens it after a commit that found no room. Returns false if it has ended meanwhile. */
  #reopened(kept: readonly DeferredWrite[]): boolean {
    if (this.#state !== 'ending' || this.#endsAt <= monotonicMs()) return false
    this.#state = 'open'
    this.#deferred = kept.map(({ entries, asked }) => ({ entries, asked }))
    // Finds under it have been told that it ends.
    this.#waits = undefined
    this.#heeded = false
    this.#turn = undefined
    this.#arm()
    return true
  }

  /**
   * @internal Commits the transaction of a request together with its response. Returns false if the response was
   *   refused, and with it all effects.
   */
  async endWith(complete: (along: CompletionEffects) => Promise<boolean>): Promise<boolean> {
    await this.#allChecked()
    this.check()
    this.#state = 'ending'
    const kept = this.#keptIfFew()
    await this.#settled()
    let done = false
    try {
      if (this.#failure !== undefined) throw this.#failure
      done = await complete({ entries: kept.flatMap(remainingEntries), tx: this.id })
      return done
    } finally {
      if (done) this.#over(undefined)
      else await this.#giveUp()
    }
  }

  /** @internal Fires when it ends, committed or not. */
  get over(): AbortSignal {
    this.#waits ??= new AbortController()
    this.#heeded = true
    return this.#waits.signal
  }

  /** @internal Writes under it. A failed write makes the commit fail. */
  async write(entries: readonly EncodedEntry[]): Promise<Grant[]> {
    this.check()
    if (this.#watched || (this.#ofRequest && this.#waits !== undefined)) return this.#write(entries)
    const grants = entries.map(({ leaseMs }) => ({ expiresAt: wallMs() + leaseMs }))
    if (this.#ofRequest) {
      this.#deferred.push({ entries, asked: monotonicMs() })
      return grants
    }
    return new Promise((resolve, reject) => {
      this.#turn ??= setImmediate(() => this.#send())
      this.#deferred.push({ entries, asked: monotonicMs(), sent: resolve, kept: () => resolve(grants), failed: reject })
    })
  }

  /** Sends the deferred writes. */
  #send(): void {
    this.#turn = undefined
    for (const deferred of this.#deferred.splice(0)) {
      this.#write(remainingEntries(deferred)).then(deferred.sent, deferred.failed ?? (() => {}))
    }
  }

  /**
   * Returns the deferred writes, to be sent with the end; their promises resolve, and the end reports their outcome.
   */
  #kept(): DeferredWrite[] {
    clearImmediate(this.#turn)
    const deferred = this.#deferred.splice(0)
    for (const { kept } of deferred) kept?.()
    return deferred
  }

  /** The same, but sends them ahead of the end, and returns none, if they are too many for one operation. */
  #keptIfFew(): DeferredWrite[] {
    const deferred = this.#kept()
    if (deferred.reduce((sum, { entries }) => sum + entries.length, 0) <= MOST_WITH_END) return deferred
    // A failure is noted, and the transaction is aborted then.
    for (const each of deferred) this.#write(remainingEntries(each)).catch(() => {})
    return []
  }

  #write(entries: readonly EncodedEntry[]): Promise<Grant[]> {
    const write = this.#engine.write(entries, this.id)
    this.#writes.add(write)
    const settled = (error?: unknown): void => {
      this.#writes.delete(write)
      if (error !== undefined) this.#failure ??= error
    }
    write.then(() => settled(), settled)
    return write
  }

  /** @internal Has writes sent at once: a registration reports them. */
  watch(): void {
    this.#watched = true
  }

  /** @internal Runs a find under it. A take with an unknown outcome makes the commit fail. */
  async find<T>(signal: AbortSignal | undefined, operation: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.check()
    this.#waits ??= new AbortController()
    const over = this.#waits.signal
    // The find may look for deferred writes.
    this.#send()
    const finding = signal ? underAny([signal, over], operation) : operation(over)
    this.#finds.add(finding)
    try {
      return await finding
    } catch (error) {
      if (isSpaceError(error, 'OUTCOME_UNKNOWN')) this.#failure ??= error
      throw error
    } finally {
      this.#finds.delete(finding)
    }
  }

  /** @internal Has a commit wait for the schema check of a write; an error makes the commit fail. */
  checking(check: Promise<unknown>): void {
    this.#checked.add(check)
    check.then(
      () => this.#checked.delete(check),
      (error) => {
        this.#checked.delete(check)
        this.#failure ??= error
      },
    )
  }

  async #allChecked(): Promise<void> {
    while (this.#checked.size > 0) await Promise.allSettled(this.#checked)
  }

  /** Waits for pending writes and finds; waiting finds are ended. */
  async #settled(): Promise<void> {
    if (this.#heeded || this.#finds.size > 0) this.#waits?.abort(new SpaceError('TRANSACTION_ENDED'))
    while (this.#writes.size + this.#finds.size > 0) await Promise.allSettled([...this.#writes, ...this.#finds])
  }

  #refuseOfRequest(): void {
    if (!this.#ofRequest) return
    throw new SpaceError(
      'INVALID_ARGUMENT',
      'The transaction of a request is committed by its answer, or aborted by a failure.',
    )
  }

  async #giveUp(): Promise<void> {
    this.#kept()
    try {
      await this.#engine.abort(this.id)
    } catch {
      // The space is away; the lease ends by itself.
    }
    this.#over(new SpaceError('TRANSACTION_ENDED'))
  }

  #trust(asked: number, leaseMs: number): void {
    this.#endsAt = asked + leaseMs
    this.#expiresAt = wallMs() + leaseMs
    this.#arm()
  }

  #arm(): void {
    clearTimeout(this.#timer)
    const left = this.#endsAt - monotonicMs()
    if (left <= 0) {
      if (this.#state === 'open') void this.end()
      return
    }
    this.#timer = setTimeout(() => this.#arm(), Math.min(Math.ceil(left), LONGEST_TIMER_MS)).unref()
  }

  /** `aborted` is undefined after a commit. */
  #over(aborted: SpaceError | undefined): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    clearTimeout(this.#timer)
    this.#aborted = aborted
    this.#kept()
    // Usually nothing waits, and firing a signal costs as much as a commit.
    if (aborted || this.#heeded || this.#finds.size > 0)
      this.#waits?.abort(aborted ?? new SpaceError('TRANSACTION_ENDED'))
    if (aborted) this.#signal?.abort(aborted)
    this.#onOver(this)
  }
}

interface DeferredWrite {
  readonly entries: readonly EncodedEntry[]
  readonly asked: number
  /** Callbacks of the write's promise: sent by itself; sent with the end; sent and failed. */
  readonly sent?: (grants: Grant[]) => void
  readonly kept?: () => void
  readonly failed?: (error: unknown) => void
}

/** Returns the entries with the rest of their leases, which run from the write. */
const remainingEntries = ({ entries, asked }: DeferredWrite): EncodedEntry[] =>
  entries.map((entry) => ({ ...entry, leaseMs: Math.max(entry.leaseMs - (monotonicMs() - asked), 0) }))

function grantedOf(leaseMs: number = DEFAULT_TRANSACTION_LEASE_MS): number {
  return Math.min(checkedLease(leaseMs), LONGEST_TRANSACTION_LEASE_MS)
}

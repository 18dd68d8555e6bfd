/**
 * Transaction: what is done under it becomes so all at once when it commits, or never (JavaSpaces, Transactions §TX).
 *
 * It has a lease, counted on this process's own clock from when it was asked for, so the space never ends it before its owner knows.
 * When the lease ends, or the owner is gone, it is aborted: what it took is back, what it wrote never was.
 */

import { LONGEST_TIMER_MS, monotonicMs, wallMs } from '../clock.js'
import type { CompletionEffects, EncodedEntry, Engine, Grant } from '../engine.js'
import { onlyKnown } from '../errors/unknown-option.js'
import { isSpaceError, SpaceError } from '../errors.js'
import { underAny } from '../runtime/abort.js'
import { checkedLease } from './lease.js'

/** A lock that is forgotten must end by itself. */
const LONGEST_TRANSACTION_LEASE_MS = 3_600_000

const DEFAULT_TRANSACTION_LEASE_MS = 10_000

export interface TransactionOptions {
  /** How long it may take unless renewed, in ms; then it is aborted. At most an hour is granted. Default 10 000. */
  readonly leaseMs?: number | undefined
}

const OPTIONS: ReadonlySet<string> = new Set(['leaseMs'])

/** @throws SpaceError INVALID_ARGUMENT */
export const checkedTransaction = (options: TransactionOptions): TransactionOptions =>
  onlyKnown('A transaction', options, OPTIONS)

export class Transaction implements AsyncDisposable {
  readonly #engine: Engine
  /** @internal */
  readonly id: string
  readonly #onOver: (transaction: Transaction) => void
  #state: 'open' | 'ending' | 'over' = 'open'
  #endsAt = 0
  #expiresAt = 0
  #timer: NodeJS.Timeout | undefined
  /** Writes on their way: a commit waits for them. */
  readonly #writes = new Set<Promise<unknown>>()
  /** Entries that a schema looks at before they are written. */
  readonly #checked = new Set<Promise<unknown>>()
  /** Finds on their way: what they take is in somebody's hands before a commit makes it final. */
  readonly #finds = new Set<Promise<unknown>>()
  /** Of a request: what it writes travels with the answer, unless something is read or taken before. */
  readonly #ofRequest: boolean
  /** What is kept back: that of a request, and what was written in this turn, which travels with a commit that comes in the same. */
  #deferred: DeferredWrite[] = []
  #turn: NodeJS.Immediate | undefined
  /** It is told of its own writes. */
  #watched = false
  /** Why it can only be aborted. */
  #failure: unknown
  #aborted: SpaceError | undefined
  /** Both are made when first asked for. */
  #signal: AbortController | undefined
  #waits: AbortController | undefined
  /** Whether somebody else heeds its end. */
  #heeded = false

  /** @internal Use space.begin or space.transact; that of a request is `currentRequest().transaction`. */
  constructor(
    engine: Engine,
    leaseMs: number | undefined,
    onOver: (transaction: Transaction) => void,
    ofRequest = false,
  ) {
    this.#engine = engine
    this.#ofRequest = ofRequest
    this.#onOver = onOver
    const granted = grantedOf(leaseMs)
    this.id = engine.begin(granted, () => this.#over(new SpaceError('TRANSACTION_ENDED')))
    this.#trust(monotonicMs(), granted)
  }

  /** When its lease ends: milliseconds since 1970 on this machine's clock. */
  get expiresAt(): number {
    return this.#expiresAt
  }

  /** Fires when it ends and was not committed: its lease is over, it was aborted, or the space has closed. */
  get signal(): AbortSignal {
    this.#signal ??= new AbortController()
    if (this.#aborted) this.#signal.abort(this.#aborted)
    return this.#signal.signal
  }

  /**
   * Makes its lease end `leaseMs` from now.
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
   * Makes all that was done under it so. When it resolves, everybody sees it. Writes that were not awaited travel with it; of finds that
   * were not, one that has something has it first, and one that waits ends with TRANSACTION_ENDED.
   * @throws SpaceError TRANSACTION_ENDED: nothing of it is so; OUTCOME_UNKNOWN: all or nothing, but nobody knows which; whatever a write
   *   under it failed with: then it is aborted. SPACE_FULL, if there is no room for the writes that travel with it: then nothing of it is so, it
   *   is open still, and may be committed again
   */
  async commit(): Promise<void> {
    this.check()
    this.#refuseOfRequest()
    await this.#allChecked()
    this.check()
    this.#state = 'ending'
    const kept = this.#kept()
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

  /** Makes nothing of it so. When it resolves, what it took can be found again. Does nothing when it has ended. */
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

  /** @internal Whether it is of the space that has this engine. */
  isOf(engine: Engine): boolean {
    return this.#engine === engine
  }

  /** @internal Aborts it, whoever's it is. */
  async end(): Promise<void> {
    if (this.#state !== 'open') return
    this.#state = 'ending'
    await this.#giveUp()
  }

  /** As it was before a commit that found no room; false if it has ended meanwhile. */
  #reopened(kept: readonly DeferredWrite[]): boolean {
    if (this.#state !== 'ending' || this.#endsAt <= monotonicMs()) return false
    this.#state = 'open'
    this.#deferred = kept.map(({ entries, asked }) => ({ entries, asked }))
    // Who waited under it has been told that it ends.
    this.#waits = undefined
    this.#heeded = false
    this.#turn = undefined
    this.#arm()
    return true
  }

  /** @internal Commits that of a request, together with its answer. false: the answer was refused, and so was all of it. */
  async endWith(complete: (along: CompletionEffects) => Promise<boolean>): Promise<boolean> {
    await this.#allChecked()
    this.check()
    this.#state = 'ending'
    await this.#settled()
    let done = false
    try {
      if (this.#failure !== undefined) throw this.#failure
      done = await complete({ entries: this.#kept().flatMap(remainingEntries), tx: this.id })
      return done
    } finally {
      if (done) this.#over(undefined)
      else await this.#giveUp()
    }
  }

  /** @internal Fires when it ends, whichever way. */
  get over(): AbortSignal {
    this.#waits ??= new AbortController()
    this.#heeded = true
    return this.#waits.signal
  }

  /** @internal One that fails makes the commit fail: all or nothing. */
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

  /** What was kept back goes out. */
  #send(): void {
    this.#turn = undefined
    for (const deferred of this.#deferred.splice(0)) {
      this.#write(remainingEntries(deferred)).then(deferred.sent, deferred.failed ?? (() => {}))
    }
  }

  /** What was kept back goes with the end: whoever awaits it is told so, and the end tells what became of it. */
  #kept(): DeferredWrite[] {
    clearImmediate(this.#turn)
    const deferred = this.#deferred.splice(0)
    for (const { kept } of deferred) kept?.()
    return deferred
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

  /** @internal Somebody is told of what is written under it, when it is. */
  watch(): void {
    this.#watched = true
  }

  /** @internal A take of which nobody knows whether it took may not be committed. */
  async find<T>(signal: AbortSignal | undefined, operation: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.check()
    this.#waits ??= new AbortController()
    const over = this.#waits.signal
    // What is found under it may be what was written under it.
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

  /** @internal A write has come as far as its schema: a commit does not overtake it. One that is refused makes the commit fail. */
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

  /** What is on its way has come; what waits, waits no longer. */
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
      // The space cannot be told; its lease ends by itself.
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

  /** `aborted` unless it was committed. */
  #over(aborted: SpaceError | undefined): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    clearTimeout(this.#timer)
    this.#aborted = aborted
    this.#kept()
    // Nearly always nobody waits any longer, and to tell nobody costs as much as a commit.
    if (aborted || this.#heeded || this.#finds.size > 0)
      this.#waits?.abort(aborted ?? new SpaceError('TRANSACTION_ENDED'))
    if (aborted) this.#signal?.abort(aborted)
    this.#onOver(this)
  }
}

interface DeferredWrite {
  readonly entries: readonly EncodedEntry[]
  readonly asked: number
  /** Of whoever awaits it: it went out by itself; it goes with the end of the transaction; it went out and failed. */
  readonly sent?: (grants: Grant[]) => void
  readonly kept?: () => void
  readonly failed?: (error: unknown) => void
}

/** Leases run from the write, also of what is sent later. */
const remainingEntries = ({ entries, asked }: DeferredWrite): EncodedEntry[] =>
  entries.map((entry) => ({ ...entry, leaseMs: Math.max(entry.leaseMs - (monotonicMs() - asked), 0) }))

function grantedOf(leaseMs: number = DEFAULT_TRANSACTION_LEASE_MS): number {
  return Math.min(checkedLease(leaseMs), LONGEST_TRANSACTION_LEASE_MS)
}

/** Space: write, read, take and leases, over an engine. The public API; engines hold the data. SpaceSearches has what reads and takes. */
import type { Engine, Repaired } from './engine.js'
import { onDifferingKinds } from './entry/definitions.js'
import type { FieldChanges } from './entry/field-changes.js'
import { Snapshot } from './entry/snapshot.js'
import { Template, templateOf } from './entry/template.js'
import type { AnyFields, Entry, FieldsOf, Matching, Updatable } from './entry.js'
import { type Logger, silent } from './log.js'
import { NO_DIRECT } from './request/streams/direct/address.js'
import { DEFAULT_STREAM_BOUNDS, Streams } from './request/streams/index.js'
import type { Stoppable } from './runtime/lifecycle.js'
import { Timeouts } from './runtime/timeouts.js'
import { checkedId } from './space/by-id.js'
import { checkTransaction } from './space/find.js'
import { Ids } from './space/ids.js'
import { KeepAlive, type KeepAliveOptions } from './space/keep-alive.js'
import { checkedDurations, checkedLeases, forAll, type Lease, type LeaseFailure } from './space/lease.js'
import {
  type BatchListener,
  type BatchOptions,
  type Listener,
  listenTo,
  type NoBatchOptions,
  type NotifyOptions,
  type Registration,
} from './space/notify.js'
import { SpaceSearches } from './space/searches.js'
import type { NonEmpty } from './space/take-all.js'
import { checkedTransaction, Transaction, type TransactionOptions } from './space/transaction.js'
import { type EndlessUpdateOptions, type UpdateByIdOptions, type UpdateOptions, Updates } from './space/update.js'
import { type AskedTemplates, type FieldsAsked, Watch, type WatchedEvent, type WatchOptions } from './space/watch.js'
import { checkedWrite, type WriteAllOptions, type WriteOptions, writeEntries } from './space/write.js'

export class Space extends SpaceSearches {
  /** @internal Streams between processes. */
  readonly streams: Streams
  /** @internal The timeouts of requests and calls. */
  readonly timeouts = new Timeouts()
  readonly name: string
  readonly #dependants = new Set<Stoppable>()
  readonly #transactions = new Set<Transaction>()
  readonly #ids = new Ids()
  readonly #updates: Updates
  readonly #logger: Logger
  readonly #endWarnings: () => void
  #closing: Promise<void> | undefined

  /** @internal Use openSpace. */
  constructor(
    engine: Engine,
    name: string,
    logger: Logger = silent,
    streamBounds = DEFAULT_STREAM_BOUNDS,
    direct = NO_DIRECT,
  ) {
    super(engine, logger)
    this.streams = new Streams(engine, streamBounds, direct)
    this.name = name
    this.#logger = logger
    this.#endWarnings = onDifferingKinds(({ kind, differs }) =>
      logger.warn({ kind, differs }, 'a kind has two definitions that differ: what one writes the other may not find'),
    )
    this.#updates = new Updates(engine, (...told) => this.reportNonconforming(...told))
  }

  /** The durability level that the store really gives: `memory`, `local` or `fsync`. */
  get durability(): string {
    return this.engine.durability
  }

  /** @internal True for a space in memory. */
  get isOfThisProcess(): boolean {
    return this.engine.server === undefined
  }

  /** The name of this process in the space. */
  get presence(): string {
    return this.engine.presence
  }

  /**
   * Writes an entry. When the promise resolves, every read or take that starts afterwards can find it.
   *
   * Under a transaction a write that is not awaited is sent with the commit, which fails if the write does.
   *
   * @param entry made by a kind, or a snapshot of an entry
   * @returns its lease; granted ≤ asked
   * @throws SpaceError INVALID_ENTRY, INVALID_ARGUMENT (nothing is stored), SPACE_FULL, SPACE_UNREACHABLE,
   *   OVERLOADED, OUTCOME_UNKNOWN, SPACE_CLOSED
   * @example const lease = await space.write(Task({ id: 't1' }), { leaseMs: 30_000, priority: 5 })
   */
  async write(entry: Entry<object> | Snapshot<object>, options: WriteOptions = {}): Promise<Lease> {
    return (await this.#write([entry], checkedWrite('write', options)))[0]!
  }

  /**
   * Writes all entries or none, at most 100,000; the n-th lease belongs to the n-th entry (JavaSpace05). More than
   * 1,000 become visible one after the other, once it is certain that all will.
   *
   * @throws SpaceError as `write`; INVALID_ARGUMENT also without entries or for too many, or if the list of leases has
   *   another length
   */
  async writeAll<const E extends readonly (Entry<object> | Snapshot<object>)[]>(
    entries: NonEmpty<E>,
    options: WriteAllOptions = {},
  ): Promise<Lease[]> {
    return this.#write(entries, checkedWrite('writeAll', options))
  }

  /**
   * Changes the best match in one step, and waits for one as `take` does: by default for ever. The entry keeps its id,
   * place, priority and lease; waiting reads and takes that match the new fields are served. With an id it changes that
   * entry, without a wait. It does not queue: takes that wait are served first.
   *
   * Under a transaction others see neither the former nor the new fields until it ends.
   *
   * @param changes what is set, unset, incremented and appended
   * @returns the changed entry; null at the end of the wait, or if the entry of the id is not there, is held, or has
   *   other values than `if` names
   * @throws signal.reason; SpaceError INVALID_ARGUMENT; INVALID_ENTRY if the changed entry is none of its kind (nothing
   *   is changed); SPACE_FULL, SPACE_UNREACHABLE, OUTCOME_UNKNOWN, SPACE_CLOSED
   * @example await space.update(Counter.template({ name: 'hits' }), { increment: { count: 1 } })
   * @example await space.update(Task.template({ id: 't1' }), { set: { state: 'done' } }, { if: { version: 3 }, waitMs: 0 })
   */
  update<W extends object>(
    template: Updatable<W>,
    changes: FieldChanges<NoInfer<W>>,
    options?: EndlessUpdateOptions<NoInfer<W>>,
  ): Promise<Entry<W>>
  update<W extends object>(
    template: Updatable<W>,
    changes: FieldChanges<NoInfer<W>>,
    options: UpdateOptions<NoInfer<W>>,
  ): Promise<Entry<W> | null>
  update(id: string, changes: FieldChanges<AnyFields>, options?: UpdateByIdOptions): Promise<Entry | null>
  async update(target: unknown, changes: unknown, options: UpdateOptions<object> = {}): Promise<Entry | null> {
    this.checkOpen()
    return this.#updates.update(target, changes, options)
  }

  /**
   * Removes the entry of an id.
   * @returns false if it is not there, or is held by another
   * @throws SpaceError INVALID_ARGUMENT, OUTCOME_UNKNOWN, SPACE_UNREACHABLE, SPACE_CLOSED
   */
  async cancelById(id: string): Promise<boolean> {
    this.checkOpen()
    return this.engine.changes.cancel(checkedId('cancelById', id))
  }

  /**
   * Removes all matches that can be taken, some hundred in a call. Matches that are written meanwhile may be removed, too.
   *
   * @returns how many were removed
   * @throws SpaceError INVALID_ARGUMENT, OUTCOME_UNKNOWN (some were removed), SPACE_UNREACHABLE, SPACE_CLOSED
   * @example const removed = await space.clear(Task.template({ due: lt(yesterday) }))
   */
  async clear<F extends object>(template: Matching<F>): Promise<number> {
    const { encoded } = templateOf(template)
    this.checkOpen()
    return this.engine.changes.clear(encoded)
  }

  /**
   * Encodes an entry once, to be written often: `write` and `writeAll` of any space accept the snapshot. Later changes
   * of the original have no effect. A template is its own snapshot; a kind is snapshot as the template of all its
   * entries.
   *
   * @throws SpaceError INVALID_ENTRY as `write` does, but a refusal by the schema is reported by each write;
   *   SPACE_CLOSED
   * @example const tick = space.snapshot(Tick({ source: 'clock' })); await space.write(tick)
   */
  snapshot<F extends object>(template: Matching<F>): Template<F>
  snapshot<F extends object>(entry: Entry<F>): Snapshot<F>
  snapshot(value: object): Template<object> | Snapshot<object> {
    this.checkOpen()
    return value instanceof Template || typeof value === 'function' ? templateOf(value) : new Snapshot(value)
  }

  /**
   * Renews leases until it is stopped, or the space closes. Each lease is renewed for its original duration when half
   * of it has passed, many in one call, with retries while the lease lasts. Does not keep the process alive.
   *
   * @throws SpaceError INVALID_ARGUMENT, SPACE_CLOSED
   * @example
   * const keep = space.keepAlive([lease], { onLost: (lease, error) => console.error(lease.id, error.code) })
   * keep.stop() // the lease ends by itself
   */
  keepAlive(leases: readonly Lease[], options: KeepAliveOptions = {}): KeepAlive {
    this.checkOpen()
    const keepAlive = new KeepAlive(leases, options, this.#logger, (ended) => this.disown(ended))
    this.adopt(keepAlive)
    return keepAlive
  }

  /**
   * Renews any number of leases in few calls, each as `lease.renew` does (JavaSpaces: LeaseMap). A failure of one
   * does not affect the others.
   *
   * @param leaseMs one for all, or one per lease
   * @returns the failures, each with its error, in order; [] without failures
   * @throws SpaceError INVALID_ARGUMENT (nothing is renewed)
   * @example for (const { lease, error } of await space.renewAll(leases, 60_000)) console.error(lease.id, error.code)
   */
  async renewAll(leases: readonly Lease[], leaseMs: number | readonly number[]): Promise<LeaseFailure[]> {
    const durations = checkedDurations(leases, leaseMs)
    this.checkOpen()
    return forAll(leases, (lease, i) => lease.renew(durations[i]!))
  }

  /** Cancels leases in few calls, each as `lease.cancel` does; returns failures as `renewAll` does. */
  async cancelAll(leases: readonly Lease[]): Promise<LeaseFailure[]> {
    checkedLeases(leases)
    this.checkOpen()
    return forAll(leases, (lease) => lease.cancel())
  }

  /**
   * Calls a listener for entries from now on (JavaSpaces `notify`; `visible` and `available` are JavaSpace05's). A
   * change is one event, however many of the templates match. Sequence numbers rise by one from
   * `registration.sequence`.
   *
   * With `maxBatch` the listener gets lists of events.
   *
   * @throws SpaceError INVALID_ARGUMENT, TRANSACTION_ENDED, SPACE_UNREACHABLE, SPACE_CLOSED
   * @example
   * const registration = await space.notify([Task.template({ type: 'resize' })], ({ entry }) => console.log(entry.id))
   * await registration.cancel()
   * @example await space.notify([Task], (events) => store(events), { maxBatch: 100, maxWaitMs: 50 })
   */
  notify<const T extends readonly Matching<object>[]>(
    templates: NonEmpty<T>,
    listener: Listener<FieldsOf<T[number]>>,
    options?: NotifyOptions & NoBatchOptions,
  ): Promise<Registration>
  notify<const T extends readonly Matching<object>[]>(
    templates: NonEmpty<T>,
    listener: BatchListener<FieldsOf<T[number]>>,
    options: NotifyOptions & BatchOptions,
  ): Promise<Registration>
  async notify(
    templates: unknown,
    listener: Listener<object> | BatchListener<object>,
    options: NotifyOptions & Partial<BatchOptions> = {},
  ): Promise<Registration> {
    const asked = Array.isArray(templates) ? templates.map(templateOf) : []
    this.checkOpen()
    checkTransaction(options?.tx, this.engine)
    return listenTo(this.engine, asked, listener, options, this.#logger)
  }

  /**
   * Yields the events of entries from now on, as `notify` reports them, in order and as fast as the loop asks for them. Up
   * to `max` events are kept; if more come, an item `{ missed, sequence }` tells in their place how many were lost, also
   * if they were lost with a connection. The lease is renewed while the loop runs; `break` ends the registration. With
   * `maxBatch` it yields lists.
   *
   * The registration is asked for at once, not with the first item; `ready` resolves when the space has it.
   *
   * @throws signal.reason; SpaceError INVALID_ARGUMENT, TRANSACTION_ENDED, SPACE_UNREACHABLE, LEASE_UNKNOWN (its lease has
   *   ended), SPACE_CLOSED (at once; all others behind what is kept). It ends without an error if `tx`
   *   does.
   * @example
   * for await (const { entry, missed } of space.watch(Task.template({ type: 'resize' }), { on: 'visible' })) {
   *   if (entry) console.log(entry.id)
   *   else console.warn(`${missed} events were lost: reading all again`)
   * }
   * @example for await (const batch of space.watch([Task, Other], { maxBatch: 100, maxWaitMs: 50 })) await store(batch)
   */
  watch<const T extends AskedTemplates>(
    templates: T & (T extends readonly [] ? never : unknown),
    options?: WatchOptions & NoBatchOptions,
  ): Watch<WatchedEvent<FieldsAsked<T>>>
  watch<const T extends AskedTemplates>(
    templates: T & (T extends readonly [] ? never : unknown),
    options: WatchOptions & BatchOptions,
  ): Watch<WatchedEvent<FieldsAsked<T>>[]>
  watch(templates: unknown, options: WatchOptions & Partial<BatchOptions> = {}): Watch<never> {
    const of = {
      engine: this.engine,
      logger: this.#logger,
      check: () => this.checkOpen(),
      onEnd: (ended: Stoppable) => this.disown(ended),
    }
    const watch = new Watch<never>(of, Array.isArray(templates) ? [...templates] : [templates], options)
    this.adopt(watch)
    return watch
  }

  /**
   * Begins a transaction, which has to be committed or aborted; `transact` does that by itself.
   *
   * @throws SpaceError INVALID_ARGUMENT, SPACE_CLOSED
   * @example await using tx = await space.begin({ leaseMs: 10_000 }); await space.take(Task, { tx }); await tx.commit()
   */
  async begin(options: TransactionOptions = {}): Promise<Transaction> {
    const { leaseMs, span } = checkedTransaction(options)
    this.checkOpen()
    const onOver = (over: Transaction): boolean => this.#transactions.delete(over)
    const transaction = new Transaction(this.engine, leaseMs, onOver, undefined, span === 'all')
    this.#transactions.add(transaction)
    return transaction
  }

  /**
   * Runs a function under a transaction: commits when it returns, aborts when it throws.
   *
   * @throws the function's error; SpaceError TRANSACTION_ENDED, OUTCOME_UNKNOWN (all or nothing, unknown which), as
   *   `commit`
   * @example
   * await space.transact(async (tx) => {
   *   const task = await space.take(Task, { tx, waitMs: 0 })
   *   if (task) await space.write(Done({ id: task.id }), { tx })
   * }, { leaseMs: 10_000 })
   */
  async transact<T>(run: (tx: Transaction) => Promise<T> | T, options: TransactionOptions = {}): Promise<T> {
    const tx = await this.begin(options)
    try {
      const result = await run(tx)
      await tx.commit()
      return result
    } catch (error) {
      await tx.abort()
      throw error
    }
  }

  /** Declares a process dead: what it held is released at once. */
  declareDead(presence: string): Promise<void> {
    return this.engine.declareDead(presence)
  }

  /**
   * Hands nothing more to a process that does not answer, until it answers again.
   *
   * @param running ids of the requests that it works on: others that it was handed are given to other processes.
   *   Default: unknown, it keeps all.
   */
  suspend(presence: string, running?: readonly string[]): Promise<void> {
    return this.engine.suspend(presence, running)
  }

  /** @internal Restores indexes and queues from the entries. */
  repair(): Promise<Repaired> {
    return this.engine.repair()
  }

  /**
   * Stops everything that was created on the space, ends every wait with SPACE_CLOSED, releases what it held. Always
   * returns.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** @internal Returns an id that no other process makes: logs identify entries by it. */
  newId(): string {
    return this.#ids.next()
  }

  /** @internal Registers something that close() stops first. */
  adopt(dependant: Stoppable): void {
    this.#dependants.add(dependant)
  }

  /** @internal Forgets something that has stopped by itself. */
  disown(dependant: Stoppable): void {
    this.#dependants.delete(dependant)
  }

  async #close(): Promise<void> {
    await Promise.allSettled([...this.#dependants].map(async (dependant) => dependant.stop()))
    await Promise.allSettled([...this.#transactions].map((transaction) => transaction.end()))
    this.endSearches()
    this.#endWarnings()
    this.#updates.end()
    this.streams.close()
    await this.engine.close()
    this.timeouts.close()
  }

  #write(entries: readonly (Entry<object> | Snapshot<object>)[], options: WriteAllOptions): Promise<Lease[]> {
    this.checkOpen()
    checkTransaction(options.tx, this.engine)
    return writeEntries(this.engine, () => this.newId(), entries, options)
  }
}

/** Space: write, read, take, and leases, over an engine. Here is what people call; engines hold the data. */
import { randomBytes } from 'node:crypto'
import type { Engine } from './engine.js'
import { Snapshot } from './entry/snapshot.js'
import { Template, templateOf } from './entry/template.js'
import type { Entry, FieldsOf, Matching } from './entry.js'
import { SpaceError } from './errors.js'
import { type Logger, silent } from './log.js'
import { DEFAULT_STREAM_BOUNDS, Streams } from './request/streams/index.js'
import type { ContentsOptions } from './space/contents.js'
import { checkedFind, type EndlessFindOptions, type FindOptions } from './space/find.js'
import { Finder } from './space/finder.js'
import { KeepAlive, type KeepAliveOptions } from './space/keep-alive.js'
import { checkedDurations, checkedLeases, forAll, type Lease, type LeaseFailure } from './space/lease.js'
import { type Listener, type NotifyOptions, type Registration, register } from './space/notify.js'
import { checkedTakeAll, type TakeAllOptions } from './space/take-all.js'
import { checkedTransaction, Transaction, type TransactionOptions } from './space/transaction.js'
import { checkedWrite, type WriteAllOptions, type WriteOptions, writeEntries } from './space/write.js'

/** A list that is not known to be empty: the calls that take one refuse an empty list. */
type NonEmpty<T extends readonly unknown[]> = T & (T extends readonly [] ? never : unknown)

/** Something that a space closes before it closes itself: a gateway, a worker, a keepAlive. */
interface Stoppable {
  stop(): Promise<void> | void
}

export class Space {
  /** @internal The store beneath; gateway and workers speak to it through src/request.ts. */
  readonly engine: Engine
  /** @internal What goes from process to process bit by bit. */
  readonly streams: Streams
  readonly name: string
  readonly #dependants = new Set<Stoppable>()
  readonly #transactions = new Set<Transaction>()
  readonly #over = new AbortController()
  readonly #idTag = randomBytes(6).toString('base64url')
  readonly #logger: Logger
  readonly #finder: Finder
  #ids = 0
  #closing: Promise<void> | undefined
  #closed = false

  /** @internal Use openSpace. */
  constructor(engine: Engine, name: string, logger: Logger = silent, streamBounds = DEFAULT_STREAM_BOUNDS) {
    this.engine = engine
    this.streams = new Streams(engine, streamBounds)
    this.name = name
    this.#logger = logger
    this.#finder = new Finder(engine, logger)
  }

  /** The durability level that the store really gives: `memory`, `local` or `fsync`. */
  get durability(): string {
    return this.engine.durability
  }

  /** This process's name in the space. */
  get presence(): string {
    return this.engine.presence
  }

  /** Entries that this process met and set aside, since they were none of their kind (docs/javaspaces.md). */
  get nonconformingEntries(): number {
    return this.#finder.nonconforming
  }

  /**
   * Writes an entry. When it resolves, every read or take that starts afterwards can find it.
   *
   * Under a transaction a write that is not awaited travels with the commit, which then fails if it does.
   *
   * @returns its lease; granted ≤ asked
   * @param entry made by a kind, or a snapshot of one
   * @throws SpaceError INVALID_ENTRY, INVALID_ARGUMENT (nothing is stored), SPACE_FULL, SPACE_UNREACHABLE, OUTCOME_UNKNOWN, SPACE_CLOSED
   * @example const lease = await space.write(Task({ id: 't1' }), { leaseMs: 30_000, priority: 5 })
   */
  async write(entry: Entry<object> | Snapshot<object>, options: WriteOptions = {}): Promise<Lease> {
    return (await this.#write([entry], checkedWrite('write', options)))[0]!
  }

  /**
   * Writes all or none; the n-th lease belongs to the n-th entry (JavaSpace05).
   *
   * @throws SpaceError as `write`; INVALID_ARGUMENT also for no entries, or a list of leases of another length
   */
  async writeAll<const E extends readonly (Entry<object> | Snapshot<object>)[]>(
    entries: NonEmpty<E>,
    options: WriteAllOptions = {},
  ): Promise<Lease[]> {
    return this.#write(entries, checkedWrite('writeAll', options))
  }

  /**
   * Takes the best match out of the space: highest priority first, then oldest. Waits for one, by default for ever.
   * A take is final when its promise resolves.
   *
   * @returns the entry; null only if the wait ended
   * @throws signal.reason; SpaceError INVALID_ARGUMENT, SPACE_UNREACHABLE, SPACE_CLOSED
   * @example const task = await space.take(Task.template({ type: 'resize' }), { waitMs: 5_000 })
   */
  take<F extends object>(template: Matching<F>, options?: EndlessFindOptions): Promise<Entry<F>>
  take<F extends object>(template: Matching<F>, options: FindOptions): Promise<Entry<F> | null>
  take<F extends object>(template: Matching<F>, options: FindOptions = {}): Promise<Entry<F> | null> {
    return this.#find('take', template, true, Number.POSITIVE_INFINITY, options)
  }

  /** As `take`, but the entry stays: every waiting reader is shown it. */
  read<F extends object>(template: Matching<F>, options?: EndlessFindOptions): Promise<Entry<F>>
  read<F extends object>(template: Matching<F>, options: FindOptions): Promise<Entry<F> | null>
  read<F extends object>(template: Matching<F>, options: FindOptions = {}): Promise<Entry<F> | null> {
    return this.#find('read', template, false, Number.POSITIVE_INFINITY, options)
  }

  /**
   * Takes a match if there is one, else null at once. With `waitMs` (default 0) it waits while the only matches are held by the transactions
   * of others, also one that is written and not yet committed; null as soon as none of these is left.
   *
   * @throws as `take`
   */
  takeIfExists<F extends object>(template: Matching<F>, options: FindOptions = {}): Promise<Entry<F> | null> {
    return this.#find('takeIfExists', template, true, 0, options, true)
  }

  /** Reads a match if there is one, else null at once; waits as `takeIfExists` does. */
  readIfExists<F extends object>(template: Matching<F>, options: FindOptions = {}): Promise<Entry<F> | null> {
    return this.#find('readIfExists', template, false, 0, options, true)
  }

  /**
   * Takes several at once (JavaSpace05): waits for the first match of any template, then takes what is there, up to `max`; fewer than are
   * there only if others take at the same time, or the way to the space fails in between. In the order of the templates, for each the best
   * first; an entry that matches two is returned once. With several templates it does not stand in line: takers that do are served first.
   *
   * @returns [] only at the end of the wait
   * @throws signal.reason; SpaceError INVALID_ARGUMENT (nothing is taken), INVALID_ENTRY, SPACE_UNREACHABLE, OUTCOME_UNKNOWN, SPACE_CLOSED
   * @example const batch = await space.takeAll([Task.template({ type: 'resize' }), Other], { max: 50, waitMs: 1_000 })
   */
  async takeAll<const T extends readonly Matching<object>[]>(
    templates: NonEmpty<T>,
    options: TakeAllOptions = {},
  ): Promise<Entry<FieldsOf<T[number]>>[]> {
    const terms = checkedTakeAll(options)
    const { signal, tx } = terms
    if (!Array.isArray(templates) || templates.length === 0) {
      throw new SpaceError('INVALID_ARGUMENT', 'takeAll wants at least one template.')
    }
    this.#open()
    this.#checkTx(tx)
    const ends = [this.#over.signal, ...(signal ? [signal] : []), ...(tx ? [tx.over] : [])]
    const taken = await this.#finder.takeAll(templates.map(templateOf), terms, ends)
    return taken as Entry<FieldsOf<T[number]>>[]
  }

  /**
   * An entry encoded once, to be written often: `write` and `writeAll` accept it in its stead, in any space. What becomes of the original
   * has no effect on it. A template is encoded when it is made, so it is its own snapshot; a kind's is that of all of it.
   *
   * @throws SpaceError INVALID_ENTRY as `write` does, but what a schema refuses is reported by each write; SPACE_CLOSED
   * @example const tick = space.snapshot(Tick({ source: 'clock' })); await space.write(tick)
   */
  snapshot<F extends object>(template: Matching<F>): Template<F>
  snapshot<F extends object>(entry: Entry<F>): Snapshot<F>
  snapshot(value: object): Template<object> | Snapshot<object> {
    this.#open()
    return value instanceof Template || typeof value === 'function' ? templateOf(value) : new Snapshot(value)
  }

  /**
   * Renews leases until it is stopped; `space.close()` stops it, too. It asks for what each had when it came, at half of what is left, for
   * many in one call, and tries again while a lease lasts. It keeps no process alive by itself.
   *
   * @throws SpaceError INVALID_ARGUMENT, SPACE_CLOSED
   * @example
   * const keep = space.keepAlive([lease], { onLost: (lease, error) => console.error(lease.id, error.code) })
   * keep.stop() // the lease ends by itself
   */
  keepAlive(leases: readonly Lease[], options: KeepAliveOptions = {}): KeepAlive {
    this.#open()
    const keepAlive = new KeepAlive(leases, options, this.#logger, (ended) => this.disown(ended))
    this.adopt(keepAlive)
    return keepAlive
  }

  /**
   * Renews all in one call, each as `lease.renew` does (JavaSpaces: LeaseMap). The others are renewed whatever becomes of one.
   *
   * @param leaseMs one for all, or one per lease
   * @returns those that failed, each with its error, in order; [] if none did
   * @throws SpaceError INVALID_ARGUMENT (nothing is renewed)
   * @example for (const { lease, error } of await space.renewAll(leases, 60_000)) console.error(lease.id, error.code)
   */
  async renewAll(leases: readonly Lease[], leaseMs: number | readonly number[]): Promise<LeaseFailure[]> {
    const durations = checkedDurations(leases, leaseMs)
    this.#open()
    return forAll(leases, (lease, i) => lease.renew(durations[i]!))
  }

  /** Cancels all in one call, each as `lease.cancel` does; reports what failed as `renewAll` does. */
  async cancelAll(leases: readonly Lease[]): Promise<LeaseFailure[]> {
    checkedLeases(leases)
    this.#open()
    return forAll(leases, (lease) => lease.cancel())
  }

  /**
   * All that matches, entry by entry, the best first, without taking (JavaSpace05 `contents`). Misses nothing that stays and yields nothing
   * twice; what is written meanwhile may or may not come. Once it is over it stays so. The kind is one kind, not AnyEntry.
   *
   * @throws SpaceError INVALID_ARGUMENT, LEASE_UNKNOWN (it was asked again after `leaseMs`), TRANSACTION_ENDED, SPACE_UNREACHABLE
   * @example for await (const task of space.contents(Task.template({ type: 'resize' }), { max: 1_000 })) console.log(task.id)
   */
  async *contents<F extends object>(
    template: Matching<F> & { readonly ofEveryKind?: never },
    options: ContentsOptions = {},
  ): AsyncGenerator<Entry<F>> {
    const asked = templateOf(template)
    this.#open()
    this.#checkTx(options.tx)
    yield* this.#finder.contents(asked, options) as AsyncGenerator<Entry<F>>
  }

  /**
   * Has a listener told of entries from now on (JavaSpaces `notify`; `visible` and `available` are JavaSpace05's). Each change is one event
   * however many of the templates match. Numbers rise by one from `registration.sequence`.
   *
   * @throws SpaceError INVALID_ARGUMENT, TRANSACTION_ENDED, SPACE_UNREACHABLE, SPACE_CLOSED
   * @example
   * const registration = await space.notify([Task.template({ type: 'resize' })], ({ entry }) => console.log(entry.id))
   * await registration.cancel()
   */
  async notify<const T extends readonly Matching<object>[]>(
    templates: NonEmpty<T>,
    listener: Listener<FieldsOf<T[number]>>,
    options: NotifyOptions = {},
  ): Promise<Registration> {
    const asked = Array.isArray(templates) ? templates.map(templateOf) : []
    this.#open()
    this.#checkTx(options.tx)
    return register(this.engine, asked, listener, options, this.#logger)
  }

  /**
   * Begins a transaction. It is to be committed or aborted; see `transact`, which sees to that.
   * @throws SpaceError INVALID_ARGUMENT, SPACE_CLOSED
   * @example await using tx = await space.begin({ leaseMs: 10_000 }); await space.take(Task, { tx }); await tx.commit()
   */
  async begin(options: TransactionOptions = {}): Promise<Transaction> {
    const { leaseMs } = checkedTransaction(options)
    this.#open()
    const transaction = new Transaction(this.engine, leaseMs, (over) => this.#transactions.delete(over))
    this.#transactions.add(transaction)
    return transaction
  }

  /**
   * Runs a function under a transaction: commits when it returns, aborts when it throws.
   *
   * @throws what the function threw; SpaceError TRANSACTION_ENDED, OUTCOME_UNKNOWN (all or nothing, but nobody knows which), as `commit`
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

  /** Whoever saw the process of `presence` die says so, and what it held is given back at once. */
  declareDead(presence: string): Promise<void> {
    return this.engine.declareDead(presence)
  }

  /**
   * Whoever sees that the process of `presence` does not answer says so: nothing more is handed to it until it does.
   * @param running ids of the requests that it works on: what else it was handed goes to others. Unknown: it keeps all.
   */
  suspend(presence: string, running?: readonly string[]): Promise<void> {
    return this.engine.suspend(presence, running)
  }

  /** Stops what was created on it, ends every wait with SPACE_CLOSED, gives back what it held. Always returns. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** @internal An id that no other process makes: entries are told apart by it in every log. */
  newId(): string {
    return `${this.#idTag}${(this.#ids++).toString(36)}`
  }

  /** @internal close() stops it first. */
  adopt(dependant: Stoppable): void {
    this.#dependants.add(dependant)
  }

  /** @internal It has stopped by itself. */
  disown(dependant: Stoppable): void {
    this.#dependants.delete(dependant)
  }

  async #close(): Promise<void> {
    await Promise.allSettled([...this.#dependants].map(async (dependant) => dependant.stop()))
    await Promise.allSettled([...this.#transactions].map((transaction) => transaction.end()))
    this.#closed = true
    this.#over.abort(new SpaceError('SPACE_CLOSED'))
    this.streams.close()
    await this.engine.close()
  }

  #write(entries: readonly (Entry<object> | Snapshot<object>)[], options: WriteAllOptions): Promise<Lease[]> {
    this.#open()
    this.#checkTx(options.tx)
    return writeEntries(this.engine, () => this.newId(), entries, options)
  }

  #checkTx(tx: Transaction | undefined): void {
    if (tx === undefined) return
    if (!(tx instanceof Transaction)) throw new SpaceError('INVALID_ARGUMENT', 'tx is what space.begin returned.')
    tx.check()
    if (!tx.isOf(this.engine)) throw new SpaceError('INVALID_ARGUMENT', 'tx is of another space.')
  }

  #open(): void {
    if (this.#closed) throw new SpaceError('SPACE_CLOSED')
  }

  async #find<F extends object>(
    what: string,
    template: Matching<F>,
    take: boolean,
    defaultWaitMs: number,
    options: FindOptions,
    ifExists = false,
  ): Promise<Entry<F> | null> {
    const terms = { ...checkedFind(what, options, defaultWaitMs), take, ifExists }
    this.#checkTx(terms.tx)
    const asked = templateOf(template)
    this.#open()
    return this.#finder.search(asked, terms) as Promise<Entry<F> | null>
  }
}

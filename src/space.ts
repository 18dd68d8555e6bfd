/** Space: write, read, take, and leases, over an engine. Here is what people call; engines hold the data. */
import { randomBytes } from 'node:crypto'
import { decodeFields } from './codec.js'
import type { Engine, Find, Stored } from './engine.js'
import { type Entry, type Matching, revive } from './entry.js'
import { SpaceError } from './errors.js'
import { checkedLease, Lease } from './lease.js'
import { imageOf, patternOf } from './template.js'
import { kindNamed } from './token.js'

/** A day: long enough for any request, short enough that what everybody forgot does not stay for ever. */
const DEFAULT_LEASE_MS = 24 * 60 * 60 * 1000

/** Priorities fit, together with the order of writing, into one exact number. */
const HIGHEST_PRIORITY = 127
const LOWEST_PRIORITY = -128

export interface WriteOptions {
  /** How long the entry stays unless renewed, in ms from now. Default 24 h; Infinity = for ever; 0 = dead on arrival. */
  readonly leaseMs?: number
  /** Higher is found first; an integer from -128 to 127. Default 0. */
  readonly priority?: number
}

export interface WriteAllOptions extends Omit<WriteOptions, 'leaseMs'> {
  /** One for all, or one per entry. */
  readonly leaseMs?: number | readonly number[]
}

export interface FindOptions {
  /** How long to wait for a match, in ms. Default of read and take: for ever. 0 = do not wait. */
  readonly waitMs?: number
  /** Ends the wait; the call then rejects with `signal.reason`. */
  readonly signal?: AbortSignal
}

/** Something that a space closes before it closes itself: a gateway, a worker. */
interface Stoppable {
  stop(): Promise<void>
}

export class Space {
  /** @internal The store beneath; gateway and workers speak to it through src/request.ts. */
  readonly engine: Engine
  readonly name: string
  readonly #dependants = new Set<Stoppable>()
  readonly #idTag = randomBytes(6).toString('base64url')
  #ids = 0
  #closing: Promise<void> | undefined

  /** @internal Use openSpace. */
  constructor(engine: Engine, name: string) {
    this.engine = engine
    this.name = name
  }

  /** The durability level that the store really gives: `memory`, `local` or `fsync`. */
  get durability(): string {
    return this.engine.durability
  }

  /** This process's name in the space. */
  get session(): string {
    return this.engine.session
  }

  /**
   * Writes an entry. When it resolves, every read or take that starts afterwards can find it.
   *
   * @returns its lease; granted ≤ asked
   * @throws SpaceError INVALID_ENTRY, INVALID_ARGUMENT (nothing is stored), SPACE_FULL, SPACE_UNREACHABLE, OUTCOME_UNKNOWN, SPACE_CLOSED
   * @example const lease = await space.write(Task({ id: 't1' }), { leaseMs: 30_000, priority: 5 })
   */
  async write(entry: Entry<object>, options: WriteOptions = {}): Promise<Lease> {
    const [lease] = await this.writeAll([entry], options)
    return lease!
  }

  /**
   * Writes all or none; the n-th lease belongs to the n-th entry (JavaSpace05).
   *
   * @throws SpaceError as `write`; INVALID_ARGUMENT also for no entries, or a list of leases of another length
   */
  async writeAll(entries: readonly Entry<object>[], options: WriteAllOptions = {}): Promise<Lease[]> {
    const { leaseMs = DEFAULT_LEASE_MS, priority = 0 } = options
    if (!Array.isArray(entries) || entries.length === 0) {
      throw new SpaceError('INVALID_ARGUMENT', 'writeAll wants at least one entry.')
    }
    if (typeof leaseMs !== 'number' && leaseMs.length !== entries.length) {
      throw new SpaceError('INVALID_ARGUMENT', `There are ${entries.length} entries and ${leaseMs.length} leases.`)
    }
    if (!Number.isInteger(priority) || priority < LOWEST_PRIORITY || priority > HIGHEST_PRIORITY) {
      throw new SpaceError('INVALID_ARGUMENT', `priority is an integer from ${LOWEST_PRIORITY} to ${HIGHEST_PRIORITY}.`)
    }
    const leaseOf = (i: number): number => checkedLease(typeof leaseMs === 'number' ? leaseMs : leaseMs[i]!)
    const images = entries.map((entry, i) => imageOf(entry, this.newId(), leaseOf(i), priority))
    const grants = await this.engine.write(images)
    return images.map((image, i) => new Lease(this.engine, image.id, grants[i]!))
  }

  /**
   * Takes the best match out of the space: highest priority first, then oldest. Waits for one, by default for ever.
   * A take is final when its promise resolves.
   *
   * @returns the entry; null only if the wait ended
   * @throws signal.reason; SpaceError INVALID_ARGUMENT, SPACE_UNREACHABLE, SPACE_CLOSED
   * @example const task = await space.take(Task.template({ type: 'resize' }), { waitMs: 5_000 })
   */
  take<F extends object>(template: Matching<F>): Promise<Entry<F>>
  take<F extends object>(template: Matching<F>, options: FindOptions & { waitMs: number }): Promise<Entry<F> | null>
  take<F extends object>(template: Matching<F>, options: FindOptions): Promise<Entry<F>>
  take<F extends object>(template: Matching<F>, options: FindOptions = {}): Promise<Entry<F> | null> {
    return this.#find(template, true, Number.POSITIVE_INFINITY, options)
  }

  /** As `take`, but the entry stays: every waiting reader is shown it. */
  read<F extends object>(template: Matching<F>): Promise<Entry<F>>
  read<F extends object>(template: Matching<F>, options: FindOptions & { waitMs: number }): Promise<Entry<F> | null>
  read<F extends object>(template: Matching<F>, options: FindOptions): Promise<Entry<F>>
  read<F extends object>(template: Matching<F>, options: FindOptions = {}): Promise<Entry<F> | null> {
    return this.#find(template, false, Number.POSITIVE_INFINITY, options)
  }

  /** Takes a match if there is one, else null at once. (It will wait only for a match that a transaction holds.) */
  takeIfExists<F extends object>(template: Matching<F>, options: FindOptions = {}): Promise<Entry<F> | null> {
    return this.#find(template, true, 0, { ...options, waitMs: 0 })
  }

  /** Reads a match if there is one, else null at once. */
  readIfExists<F extends object>(template: Matching<F>, options: FindOptions = {}): Promise<Entry<F> | null> {
    return this.#find(template, false, 0, { ...options, waitMs: 0 })
  }

  /** Whoever saw the process of `session` die says so, and what it held is given back at once. */
  declareDead(session: string): Promise<void> {
    return this.engine.declareDead(session)
  }

  /** Whoever sees that the process of `session` does not answer says so: what it has not started goes to others until it does. */
  recall(session: string): Promise<void> {
    return this.engine.recall(session)
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
    await Promise.allSettled([...this.#dependants].map((dependant) => dependant.stop()))
    await this.engine.close()
  }

  async #find<F extends object>(
    template: Matching<F>,
    take: boolean,
    defaultWaitMs: number,
    { waitMs = defaultWaitMs, signal }: FindOptions,
  ): Promise<Entry<F> | null> {
    if (typeof waitMs !== 'number' || Number.isNaN(waitMs) || waitMs < 0) {
      throw new SpaceError('INVALID_ARGUMENT', `waitMs is milliseconds ≥ 0 or Infinity, not ${String(waitMs)}.`)
    }
    signal?.throwIfAborted()
    const find: Find = { pattern: patternOf(template), take, waitMs, signal }
    const stored = await this.engine.find(find)
    return stored && (entryOf(stored) as Entry<F>)
  }
}

function entryOf(stored: Stored): Entry {
  const kinds = stored.kinds.map(kindNamed)
  return revive(decodeFields(stored.body), kinds, {
    id: stored.id,
    kind: kinds[0]!,
    priority: stored.priority,
    writtenAt: stored.writtenAt,
    leaseMs: stored.remainingMs,
  })
}

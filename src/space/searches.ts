/** Searches of a space: reads, takes, contents, count, and what they would look at. */
import type { Engine, Stored } from '../engine.js'
import type { Nonconforming } from '../entry/nonconforming.js'
import { templateOf } from '../entry/template.js'
import type { Entry, FieldsOf, Matching } from '../entry.js'
import { SpaceError } from '../errors.js'
import type { Logger } from '../log.js'
import type { ContentsOptions } from './contents.js'
import { counted, type Explanation, explained } from './explain.js'
import { checkedFind, checkTransaction, type EndlessFindOptions, type FindOptions } from './find.js'
import { Finder } from './finder.js'
import { checkedTakeAll, type NonEmpty, type TakeAllOptions } from './take-all.js'

export abstract class Searches {
  /** @internal The store; gateway and workers use src/request.ts instead. */
  readonly engine: Engine
  readonly #finder: Finder
  readonly #over = new AbortController()
  #closed = false

  /** @internal Use openSpace. */
  constructor(engine: Engine, logger: Logger) {
    this.engine = engine
    this.#finder = new Finder(engine, logger)
  }

  /**
   * Number of entries that this process has moved to the dead letters because they do not match their schema
   * (docs/javaspaces.md).
   */
  get nonconformingEntries(): number {
    return this.#finder.nonconforming
  }

  /**
   * Takes the best match: highest priority first, then oldest. Waits for one, by default for ever. A take is final when
   * its promise resolves.
   *
   * @returns the entry; null only at the end of the wait
   * @throws signal.reason; SpaceError INVALID_ARGUMENT, SPACE_UNREACHABLE, SPACE_CLOSED
   * @example const task = await space.take(Task.template({ type: 'resize' }), { waitMs: 5_000 })
   */
  take<F extends object>(template: Matching<F>, options?: EndlessFindOptions): Promise<Entry<F>>
  take<F extends object>(template: Matching<F>, options: FindOptions): Promise<Entry<F> | null>
  take<F extends object>(template: Matching<F>, options: FindOptions = {}): Promise<Entry<F> | null> {
    return this.#find('take', template, true, Number.POSITIVE_INFINITY, options)
  }

  /** As `take`, but the entry stays: every waiting reader gets it. */
  read<F extends object>(template: Matching<F>, options?: EndlessFindOptions): Promise<Entry<F>>
  read<F extends object>(template: Matching<F>, options: FindOptions): Promise<Entry<F> | null>
  read<F extends object>(template: Matching<F>, options: FindOptions = {}): Promise<Entry<F> | null> {
    return this.#find('read', template, false, Number.POSITIVE_INFINITY, options)
  }

  /**
   * Takes a match if there is one; otherwise returns null at once. With `waitMs` (default 0) it waits while the only
   * matches are held by transactions of others, including entries that are not yet committed; returns null as soon as
   * there are none of these.
   *
   * @throws as `take`
   */
  takeIfExists<F extends object>(template: Matching<F>, options: FindOptions = {}): Promise<Entry<F> | null> {
    return this.#find('takeIfExists', template, true, 0, options, true)
  }

  /** Reads a match if there is one; otherwise returns null at once. Waits as `takeIfExists` does. */
  readIfExists<F extends object>(template: Matching<F>, options: FindOptions = {}): Promise<Entry<F> | null> {
    return this.#find('readIfExists', template, false, 0, options, true)
  }

  /**
   * Takes several entries (JavaSpace05): waits for the first match of any template, then takes what is there, up to
   * `max`. It takes fewer than are there only if others take at the same time, or the connection fails in between.
   * Order: by template, then best first; an entry that matches two templates is returned once. With several templates
   * it does not queue: takers that do are served first.
   *
   * @returns the entries; [] only at the end of the wait
   * @throws signal.reason; SpaceError INVALID_ARGUMENT (nothing is taken), INVALID_ENTRY, SPACE_UNREACHABLE,
   *   OUTCOME_UNKNOWN, SPACE_CLOSED
   * @example const batch = await space.takeAll([Task.template({ type: 'resize' }), Other], { max: 50, waitMs: 1_000 })
   */
  async takeAll<const T extends readonly Matching<object>[]>(
    templates: NonEmpty<T>,
    options: TakeAllOptions = {},
  ): Promise<Entry<FieldsOf<T[number]>>[]> {
    const terms = checkedTakeAll(templates, options)
    const { signal, tx } = terms
    this.checkOpen()
    checkTransaction(tx, this.engine)
    const ends = [this.#over.signal, ...(signal ? [signal] : []), ...(tx ? [tx.over] : [])]
    const taken = await this.#finder.takeAll(templates.map(templateOf), terms, ends)
    return taken as Entry<FieldsOf<T[number]>>[]
  }

  /**
   * Yields all matches, best first, without taking them (JavaSpace05 `contents`). Yields each entry that stays, once;
   * an entry that is written meanwhile may or may not be yielded. The template names one kind, not AnyEntry.
   *
   * @throws SpaceError INVALID_ARGUMENT, LEASE_UNKNOWN (`leaseMs` have passed), TRANSACTION_ENDED, SPACE_UNREACHABLE
   * @example for await (const task of space.contents(Task.template({ type: 'resize' }), { max: 1_000 })) console.log(task.id)
   */
  async *contents<F extends object>(
    template: Matching<F> & { readonly ofEveryKind?: never },
    options: ContentsOptions = {},
  ): AsyncGenerator<Entry<F>> {
    this.checkOpen()
    checkTransaction(options?.tx, this.engine)
    yield* this.#finder.contents(templateOf(template), options) as AsyncGenerator<Entry<F>>
  }

  /**
   * Returns the number of matches that can be read now, in one call if an index holds them and nothing else. Then entries
   * count whose lease has just ended.
   * @throws SpaceError INVALID_ARGUMENT for AnyEntry, SPACE_UNREACHABLE, SPACE_CLOSED
   * @example const waiting = await space.count(Task.template({ type: 'resize' }))
   */
  async count<F extends object>(template: Matching<F> & { readonly ofEveryKind?: never }): Promise<number> {
    this.checkOpen()
    return counted(this.engine, templateOf(template))
  }

  /**
   * Tells which index a search for a template uses now, and how many entries it looks at at most.
   * @throws as `count`
   * @example await space.explain(Task.template({ type: 'resize', size: gt(9) })) // { index: ['type'], candidates: 4, … }
   */
  async explain<F extends object>(template: Matching<F> & { readonly ofEveryKind?: never }): Promise<Explanation> {
    this.checkOpen()
    return explained(this.engine, templateOf(template))
  }

  /** @internal Counts and logs an entry that was moved to the dead letters. */
  protected reportNonconforming(stored: Stored, nonconforming: Nonconforming, kind: string): void {
    this.#finder.report(stored, nonconforming, kind)
  }

  /** @internal Throws SPACE_CLOSED after endSearches. */
  protected checkOpen(): void {
    if (this.#closed) throw new SpaceError('SPACE_CLOSED')
  }

  /** @internal Ends every wait with SPACE_CLOSED. */
  protected endSearches(): void {
    this.#closed = true
    this.#over.abort(new SpaceError('SPACE_CLOSED'))
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
    checkTransaction(terms.tx, this.engine)
    this.checkOpen()
    return this.#finder.search(templateOf(template), terms) as Promise<Entry<F> | null>
  }
}

/** Searches of a space: reads, takes, contents, count, and what they would look at. */
import type { Engine, Stored } from '../engine.js'
import type { Nonconforming } from '../entry/nonconforming.js'
import { templateOf, templatesOf } from '../entry/template.js'
import type { Entry, FieldsOf, Matching } from '../entry.js'
import { SpaceError } from '../errors.js'
import type { Logger } from '../log.js'
import { type ByIdOptions, findById } from './by-id.js'
import { Contents, type ContentsEntry, type ContentsOptions, type ContentsPart, type FieldName } from './contents.js'
import { counted, type Explanation, explained } from './explain.js'
import { checkedFind, checkTransaction, type EndlessFindOptions, type FindOptions } from './find.js'
import { Finder } from './finder.js'
import { checkedTakeAll, type NonEmpty, type TakeAllOptions } from './take-all.js'

export abstract class SpaceSearches {
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
    const { asked, terms, ends } = this.#askedOf('takeAll', templates, options)
    return (await this.#finder.takeAll(asked, terms, ends)) as Entry<FieldsOf<T[number]>>[]
  }

  /**
   * Reads several entries, as `takeAll` takes them, but they stay: waits for the first match of any template, then returns
   * what is there, up to `max`. Order: by template, then best first (of AnyEntry by kind, then best first); an entry that
   * matches two templates is returned once.
   *
   * @returns the entries; [] only at the end of the wait
   * @throws signal.reason; SpaceError INVALID_ARGUMENT, INVALID_ENTRY (a schema threw), TRANSACTION_ENDED,
   *   SPACE_UNREACHABLE, SPACE_CLOSED
   * @example const there = await space.readAll([Task.template({ type: 'resize' }), Other], { max: 50, waitMs: 0 })
   */
  async readAll<const T extends readonly Matching<object>[]>(
    templates: NonEmpty<T>,
    options: TakeAllOptions = {},
  ): Promise<Entry<FieldsOf<T[number]>>[]> {
    const { asked, terms, ends } = this.#askedOf('readAll', templates, options)
    return (await this.#finder.readAll(asked, terms, ends)) as Entry<FieldsOf<T[number]>>[]
  }

  /**
   * Yields all matches without taking them (JavaSpace05 `contents`): by template, then best first; of AnyEntry by kind,
   * then best first. Yields each entry that stays, once; an entry that is written meanwhile may or may not be yielded. In
   * the order of an `ordered` field an entry is yielded again if its value changes to a later one, or if a process that
   * does not declare that index writes meanwhile.
   *
   * The returned iteration has the cursor from which another process goes on, and removes entries; each yielded entry has
   * a method `remove()`.
   *
   * @throws SpaceError INVALID_ARGUMENT, LEASE_UNKNOWN (`leaseMs` have passed), INVALID_ENTRY (a schema threw),
   *   TRANSACTION_ENDED, SPACE_UNREACHABLE; all when the first entry is asked for
   * @example for await (const task of space.contents(Task.template({ type: 'resize' }), { max: 1_000 })) console.log(task.id)
   * @example for await (const task of space.contents([Task, Other])) await task.remove()
   * @example
   * const page = space.contents(Task, { max: 50, fields: ['id', 'due'], after: request.after })
   * for await (const { id, due } of page) rows.push({ id, due })
   * return { rows, next: page.cursor } // null after the last one
   */
  contents<F extends object, const K extends FieldName<F>>(
    template: Matching<F>,
    options: ContentsOptions<K> & { readonly fields: readonly K[] },
  ): Contents<ContentsPart<F, K>>
  contents<F extends object>(
    template: Matching<F>,
    options?: ContentsOptions & { readonly fields?: undefined },
  ): Contents<ContentsEntry<F>>
  contents<const T extends readonly Matching<object>[], const K extends FieldName<FieldsOf<T[number]>>>(
    templates: NonEmpty<T>,
    options: ContentsOptions<K> & { readonly fields: readonly K[] },
  ): Contents<ContentsPart<FieldsOf<T[number]>, K>>
  contents<const T extends readonly Matching<object>[]>(
    templates: NonEmpty<T>,
    options?: ContentsOptions & { readonly fields?: undefined },
  ): Contents<ContentsEntry<FieldsOf<T[number]>>>
  contents(templates: unknown, options: ContentsOptions = {}): Contents<never> {
    const { engine } = this
    const asked: readonly unknown[] = Array.isArray(templates) ? [...templates] : [templates]
    return new Contents<never>(
      {
        engine,
        templates: () => templatesOf('contents', asked),
        check: () => {
          this.checkOpen()
          checkTransaction(options?.tx, engine)
        },
        conforming: (found) => this.#finder.conforming(found),
      },
      options,
    )
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

  /**
   * Reads the entry of an id, which `entryInfo(entry).id` and `lease.id` tell. `Kind.is` tells its type.
   *
   * @returns the entry; null if it is not there, or is held by another
   * @throws SpaceError INVALID_ARGUMENT, SPACE_UNREACHABLE, SPACE_CLOSED
   * @example const entry = await space.readById(id); if (Task.is(entry)) console.log(entry.type)
   */
  async readById(id: string, options: ByIdOptions = {}): Promise<Entry | null> {
    return this.#findById(id, false, options)
  }

  /** Takes the entry of an id. @returns as `readById` @throws as `take` */
  async takeById(id: string, options: ByIdOptions = {}): Promise<Entry | null> {
    return this.#findById(id, true, options)
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

  /** Checks what takeAll and readAll are given. `ends`: what ends the wait before its time. */
  #askedOf(what: string, templates: readonly unknown[], options: TakeAllOptions) {
    const terms = checkedTakeAll(what, templates, options)
    const { signal, tx } = terms
    this.checkOpen()
    checkTransaction(tx, this.engine)
    const ends = [this.#over.signal, ...(signal ? [signal] : []), ...(tx ? [tx.over] : [])]
    return { asked: templates.map(templateOf), terms, ends }
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

  #findById(id: string, take: boolean, options: ByIdOptions): Promise<Entry | null> {
    this.checkOpen()
    return findById(this.engine, { id, take, options }, (...told) => this.reportNonconforming(...told))
  }
}

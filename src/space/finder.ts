/**
 * Finder: the finds of one space. An entry that does not match its schema is moved to the dead letters, counted and
 * logged.
 */
import type { Engine, Stored } from '../engine.js'
import { Nonconforming } from '../entry/nonconforming.js'
import type { Template } from '../entry/template.js'
import type { Entry } from '../entry.js'
import type { Logger } from '../log.js'
import { underAny } from '../runtime/abort.js'
import { awaitSome } from './await-some.js'
import { BEGINNING } from './cursor.js'
import { checkedEntry, type FindTerms, search, takeMany } from './find.js'
import { type Found, matchesOf } from './matches.js'
import { type TakeAllTerms, takeAll } from './take-all.js'
import type { Transaction } from './transaction.js'

export class Finder {
  readonly #engine: Engine
  readonly #logger: Logger
  #nonconforming = 0

  constructor(engine: Engine, logger: Logger) {
    this.#engine = engine
    this.#logger = logger
  }

  /** Entries that these finds have moved to the dead letters. */
  get nonconforming(): number {
    return this.#nonconforming
  }

  search(template: Template<object>, terms: FindTerms): Promise<Entry | null> {
    return search(this.#engine, template, terms, this.#reporter(template))
  }

  /** Waits until one of `ends` fires at most. */
  takeAll(
    templates: readonly Template<object>[],
    terms: TakeAllTerms,
    ends: readonly AbortSignal[],
  ): Promise<Entry<object>[]> {
    const { max, waitMs, tx } = terms
    const finds = {
      take: (template: Template<object>, waitMs: number, signal?: AbortSignal) =>
        this.search(template, { take: true, waitMs, signal, tx }),
      takeMany: (template: Template<object>, most: number) =>
        takeMany(this.#engine, template, most, tx, this.#reporter(template)),
      watch: (asked: readonly Template<object>[], leaseMs: number, onAvailable: () => void) =>
        this.#watch(asked, 'available', leaseMs, tx, onAvailable),
    }
    return underAny(ends, (signal) => takeAll(finds, templates, max, waitMs, signal))
  }

  /** Waits until one of `ends` fires at most. */
  readAll(
    templates: readonly Template<object>[],
    { max, waitMs, tx }: TakeAllTerms,
    ends: readonly AbortSignal[],
  ): Promise<Entry<object>[]> {
    const search = async (): Promise<Entry<object>[]> => {
      const entries: Entry<object>[] = []
      for await (const found of matchesOf(this.#engine, templates, { max, tx, from: BEGINNING })) {
        const entry = await this.conforming(found)
        if (entry) entries.push(entry)
      }
      return entries
    }
    const watch = (onVisible: () => void) => this.#watch(templates, 'visible', waitMs, tx, onVisible)
    return underAny(ends, async (signal) => {
      signal.throwIfAborted()
      return awaitSome({ search, watch }, waitMs, signal)
    })
  }

  /** Returns a listed match; undefined if it does not match its schema. */
  async conforming({ stored, template }: Found): Promise<Entry | undefined> {
    const entry = await checkedEntry(stored, template.definition)
    if (!(entry instanceof Nonconforming)) return entry
    if (await this.#engine.deadLetter(stored.id, 'nonconforming')) this.#reporter(template)(stored, entry)
    return undefined
  }

  async #watch(
    templates: readonly Template<object>[],
    on: 'available' | 'visible',
    leaseMs: number,
    tx: Transaction | undefined,
    onChange: () => void,
  ): Promise<() => void> {
    const encoded = templates.map(({ encoded }) => encoded)
    const callbacks = { onEvent: onChange, onMissed: onChange, onEnded: () => {} }
    const { id } = await this.#engine.notify({ templates: encoded, on, leaseMs, tx: tx?.id, ...callbacks })
    return () => void this.#engine.cancel(id).catch(() => {})
  }

  /** Counts and logs an entry that was moved to the dead letters. */
  report({ id }: Stored, { paths }: Nonconforming, kind: string): void {
    this.#nonconforming++
    this.#logger.warn({ id, kind, paths }, 'an entry does not match its schema; moved to the dead letters')
  }

  #reporter({ definition: { kind } }: Template<object>): (stored: Stored, nonconforming: Nonconforming) => void {
    return (stored, nonconforming) => this.report(stored, nonconforming, kind)
  }
}

/**
 * Finder: the finds of one space. An entry that does not match its schema is moved to the dead letters, counted and
 * logged.
 */
import type { Engine, Stored } from '../engine.js'
import { entryOf, Nonconforming } from '../entry/nonconforming.js'
import type { Template } from '../entry/template.js'
import type { Entry } from '../entry.js'
import type { Logger } from '../log.js'
import { underAny } from '../runtime/abort.js'
import { type ContentsOptions, contentsOf } from './contents.js'
import { type FindTerms, search, takeMany } from './find.js'
import { checkedMax, type TakeAllTerms, takeAll } from './take-all.js'
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
        this.#watch(asked, leaseMs, tx, onAvailable),
    }
    const most = checkedMax(max)
    return underAny(ends, (signal) => takeAll(finds, templates, most, waitMs, signal))
  }

  async *contents(template: Template<object>, options: ContentsOptions): AsyncGenerator<Entry> {
    const report = this.#reporter(template)
    for await (const stored of contentsOf(this.#engine, template, options)) {
      const entry = await entryOf(stored, template.definition)
      if (!(entry instanceof Nonconforming)) yield entry
      else if (await this.#engine.deadLetter(stored.id, 'nonconforming')) report(stored, entry)
    }
  }

  async #watch(
    templates: readonly Template<object>[],
    leaseMs: number,
    tx: Transaction | undefined,
    onAvailable: () => void,
  ): Promise<() => void> {
    const encoded = templates.map(({ encoded }) => encoded)
    const callbacks = { onEvent: onAvailable, onMissed: onAvailable, onEnded: () => {} }
    const { id } = await this.#engine.notify({ templates: encoded, on: 'available', leaseMs, tx: tx?.id, ...callbacks })
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

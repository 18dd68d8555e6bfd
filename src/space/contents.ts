/** contents: yields all matches without taking them (JavaSpace05), each entry that stays once, and goes on elsewhere. */
import { monotonicMs } from '../clock.js'
import type { Engine } from '../engine.js'
import { MOST_FIELDS } from '../entry/limits.js'
import type { Template } from '../entry/template.js'
import { type Entry, type EntryPart, entryInfo, partOfEntry } from '../entry.js'
import { onlyKnown } from '../errors/unknown-option.js'
import { SpaceError } from '../errors.js'
import { Iteration } from '../runtime/iteration.js'
import { BEGINNING, cursorOf, type Position, positionAt } from './cursor.js'
import { checkedLease } from './lease.js'
import { type Found, matchesOf } from './matches.js'
import { checkedMax } from './take-all.js'
import type { Transaction } from './transaction.js'

export interface ContentsOptions<K extends string = string> {
  /** Maximum number of entries. Default Infinity. */
  readonly max?: number | undefined
  /**
   * How long the iteration may take, in ms; then it throws LEASE_UNKNOWN. Default Infinity: the space stores nothing
   * for it.
   */
  readonly leaseMs?: number | undefined
  /**
   * A transaction. Others cannot take the yielded entries until it ends; entries that were written under it are yielded
   * too.
   */
  readonly tx?: Transaction | undefined
  /**
   * The fields to yield, 1 to 1,000 names: objects with these fields alone, which cannot be written. The schema checks
   * the whole entry all the same. Default: all, as entries.
   */
  readonly fields?: readonly K[] | undefined
  /**
   * The `cursor` of contents of the same templates, of this process or another one: goes on behind the entry that was
   * yielded last there. Default: from the beginning.
   */
  readonly after?: string | undefined
}

/**
 * The method that entries of `contents` have, beside their fields: hidden from JSON, from `Object.keys` and from copies.
 * An entry with a field `remove` has that field instead.
 */
export type Removable<F extends object> = F extends unknown
  ? string extends keyof F
    ? RemoveMethod
    : 'remove' extends keyof F
      ? unknown
      : RemoveMethod
  : never

interface RemoveMethod {
  /** As `contents.remove(entry)`. */
  remove(): Promise<boolean>
}

/** An entry as `contents` yields it. */
export type ContentsEntry<F extends object> = Entry<F> & Removable<F>

/** The names of fields, of any kind if there are several. */
export type FieldName<F extends object> = F extends unknown ? keyof F & string : never

/** A part of an entry, as `contents` yields it with `fields`. */
export type ContentsPart<F extends object, K extends string> = F extends unknown
  ? EntryPart<Pick<F, K & keyof F>> & Removable<F>
  : never

const OPTIONS: ReadonlySet<string> = new Set(['max', 'leaseMs', 'tx', 'fields', 'after'])

interface ContentsTerms extends ContentsOptions {
  readonly max: number
  readonly leaseMs: number
}

function checkedContents(options: ContentsOptions): ContentsTerms {
  const known = onlyKnown('contents', options, OPTIONS)
  const { max = Number.POSITIVE_INFINITY, leaseMs = Number.POSITIVE_INFINITY, fields } = known
  if (max !== Number.POSITIVE_INFINITY) checkedMax(max)
  if (checkedLease(leaseMs) === 0) throw new SpaceError('INVALID_ARGUMENT', 'leaseMs is more than 0.')
  const isList = Array.isArray(fields) && fields.length > 0 && fields.length <= MOST_FIELDS
  if (fields !== undefined && !(isList && fields.every((name) => typeof name === 'string'))) {
    throw new SpaceError('INVALID_ARGUMENT', `fields must be a list of 1 to ${MOST_FIELDS} names of fields.`)
  }
  return { ...options, max, leaseMs }
}

/** The parts of a space that contents need. */
export interface ContentsOf {
  readonly engine: Engine
  /** Returns the templates that were asked for. Throws INVALID_ARGUMENT if they are none. */
  templates(): readonly Template<object>[]
  /** Throws if the space is closed, or the transaction cannot be used. */
  check(): void
  /** Returns the entry; undefined if it does not match its schema. */
  conforming(found: Found): Promise<Entry<object> | undefined>
}

/** The iteration that `space.contents` returns; one loop. */
export class Contents<T extends object = Entry<object>> extends Iteration<T> {
  readonly #of: ContentsOf
  readonly #options: ContentsOptions
  /** Returns where to go on behind the entry that was yielded last; undefined before the first one. */
  #position: (() => Position | null) | undefined

  /** @internal Use space.contents. */
  constructor(of: ContentsOf, options: ContentsOptions) {
    super()
    this.#of = of
    this.#options = options
  }

  /**
   * Where another process goes on (`after`): behind the entry that was yielded last, or where this iteration begins.
   * null if all have been yielded. Opaque, of the characters A-Z a-z 0-9 - _, and rarely longer than 100: 25 more for
   * each further partition. It holds no fields, except in the order of a field: the value of that field. It is no secret:
   * whoever has it and may call `contents` goes on there.
   */
  get cursor(): string | null {
    const position = this.#position ? this.#position() : (this.#options.after ?? BEGINNING)
    if (position === null || typeof position === 'string') return position
    return cursorOf(
      position,
      this.#of.templates().map(({ encoded }) => encoded),
    )
  }

  /**
   * Removes an entry from the space at once, as `lease.cancel` does, also if a transaction holds it.
   *
   * @returns whether it was still there
   * @throws SpaceError INVALID_ARGUMENT if the space has not returned it, or the contents are under a transaction: take
   *   the entry under it; OUTCOME_UNKNOWN, SPACE_UNREACHABLE, SPACE_CLOSED
   * @example
   * const contents = space.contents(Task)
   * for await (const task of contents) await contents.remove(task) // or task.remove()
   */
  async remove(entry: T): Promise<boolean> {
    const { id } = entryInfo(entry as unknown as Entry<object>)
    if (this.#options.tx) {
      throw new SpaceError('INVALID_ARGUMENT', 'remove is not part of a transaction: take the entry under it.')
    }
    return this.#of.engine.cancel(id)
  }

  protected async *items(): AsyncGenerator<T, undefined, undefined> {
    const { engine } = this.#of
    this.#of.check()
    const templates = this.#of.templates()
    const { max, leaseMs, tx, fields, after } = checkedContents(this.#options)
    const encoded = templates.map((template) => template.encoded)
    const from = after === undefined ? BEGINNING : positionAt(after, encoded)
    const endsAt = monotonicMs() + leaseMs
    let found = 0
    for await (const each of matchesOf(engine, templates, { max, tx, from })) {
      found++
      const entry = await this.#of.conforming(each)
      if (monotonicMs() >= endsAt) throw new SpaceError('LEASE_UNKNOWN', 'The lease of the contents had ended.')
      if (!entry) continue
      this.#position = () => each.position()
      yield this.#withRemove(entry, fields ? partOfEntry(entry, fields) : entry, each.template)
    }
    if (found < max) this.#position = () => null
    return undefined
  }

  /** `item`: the entry or a part of it. */
  #withRemove(entry: Entry<object>, item: object, { definition }: Template<object>): T {
    const removed = item as T
    if (!Object.hasOwn(entry, 'remove') && !definition.names?.has('remove')) {
      Object.defineProperty(item, 'remove', { value: () => this.remove(removed) })
    }
    return removed
  }
}

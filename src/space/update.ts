/** Updates: entries are changed in place, and keep their ids, places, priorities and leases. */
import type { Change, EncodedContents } from '../engine/changes.js'
import type { EncodedTemplate, Engine, Stored } from '../engine.js'
import { nameOf, packFields } from '../entry/codec.js'
import { type AppliedTo, checkedChanges } from '../entry/field-changes.js'
import { type Definition, remember } from '../entry/kind.js'
import { definitionOf } from '../entry/known-kinds.js'
import { encodedOf, Template, templateOf } from '../entry/template.js'
import { kindNamed, tokenOf } from '../entry/token.js'
import type { Entry } from '../entry.js'
import { onlyKnown } from '../errors/unknown-option.js'
import { SpaceError } from '../errors.js'
import { underAny } from '../runtime/abort.js'
import { type ByIdOptions, checkedId, Judging, type OnNonconforming } from './by-id.js'
import { checkedWait, checkTransaction, type FindOptions } from './find.js'
import type { Transaction } from './transaction.js'
import { whenAvailable } from './when-available.js'

/** Values that the entry must have. */
interface Conditional<W extends object> {
  /**
   * Fields with the values that the entry must have. With a template they narrow it: only a match that has them is
   * changed, and `waitMs` waits for one. With an id the result is null if the entry has others.
   */
  readonly if?: { readonly [K in keyof W]?: W[K] } | undefined
}

export interface UpdateOptions<W extends object = Record<string, unknown>> extends FindOptions, Conditional<W> {}

/** The options of an update that ends only with a match: without `waitMs`. */
export type EndlessUpdateOptions<W extends object = Record<string, unknown>> = Omit<UpdateOptions<W>, 'waitMs'> & {
  readonly waitMs?: undefined
}

export interface UpdateByIdOptions extends ByIdOptions, Conditional<Record<string, unknown>> {}

const OPTIONS: ReadonlySet<string> = new Set(['waitMs', 'signal', 'tx', 'if'])
const BY_ID_OPTIONS: ReadonlySet<string> = new Set(['tx', 'if'])

/** A change that has been checked, and the entry that is to have it. */
interface Update {
  readonly target: EncodedTemplate | string
  /** The kind of the template, if there is one. */
  readonly definition?: Definition
  readonly apply: AppliedTo
  readonly tx: Transaction | undefined
  /** Returns whether an entry is to be changed. */
  readonly isAsked: (entry: Entry) => boolean
}

export class Updates {
  readonly #engine: Engine
  readonly #report: OnNonconforming
  readonly #over = new AbortController()

  constructor(engine: Engine, report: OnNonconforming) {
    this.#engine = engine
    this.#report = report
  }

  /** @throws SpaceError as space.update */
  update(target: unknown, changes: unknown, options: UpdateOptions<object>): Promise<Entry | null> {
    return typeof target === 'string' ? this.#byId(target, changes, options) : this.#best(target, changes, options)
  }

  /** Ends every wait with SPACE_CLOSED. */
  end(): void {
    this.#over.abort(new SpaceError('SPACE_CLOSED'))
  }

  async #byId(id: string, changes: unknown, options: UpdateByIdOptions): Promise<Entry | null> {
    const { tx, if: asked } = onlyKnown('update by id', options, BY_ID_OPTIONS)
    const target = checkedId('update', id)
    const apply = checkedChanges(changes)
    const tokens = asked === undefined ? undefined : tokensIn(asked)
    const isAsked = (entry: Entry): boolean => tokens === undefined || hasAll(tokensIn(entry), tokens)
    checkTransaction(tx, this.#engine)
    return this.#change({ target, apply, tx, isAsked }, undefined)
  }

  async #best(target: unknown, changes: unknown, options: UpdateOptions<object>): Promise<Entry | null> {
    const { waitMs = Number.POSITIVE_INFINITY, signal, tx, if: asked } = onlyKnown('update', options, OPTIONS)
    const { encoded, definition } = templateOf(target)
    const apply = checkedChanges(changes)
    const narrowed = asked === undefined ? encoded : both(encoded, new Template(definition, asked).encoded)
    checkedWait(waitMs, signal)
    checkTransaction(tx, this.#engine)
    const update: Update = { target: narrowed, definition, apply, tx, isAsked: () => true }
    const changed = await this.#change(update, signal)
    if (changed || waitMs <= 0) return changed
    const ends = [this.#over.signal, ...(signal ? [signal] : []), ...(tx ? [tx.over] : [])]
    return underAny(ends, (ended) =>
      whenAvailable(
        () => this.#change(update, ended),
        (onSeen) => this.#watch(narrowed, waitMs, tx, onSeen),
        waitMs,
        ended,
      ),
    )
  }

  async #change(
    { target, definition, apply, tx, isAsked }: Update,
    signal: AbortSignal | undefined,
  ): Promise<Entry | null> {
    const judging = new Judging(this.#report, definition)
    const contents = async (stored: Stored): Promise<EncodedContents | null> => {
      const entry = judging.entry!
      return isAsked(entry) ? contentsOf(stored, entry, apply(entry), definition) : null
    }
    const change: Change = { target, signal, contents, ...judging.callbacks }
    const stored = await (tx
      ? tx.find(signal, (ends) => this.#engine.changes.change({ ...change, tx: tx.id, signal: ends }))
      : this.#engine.changes.change(change))
    if (!stored) return null
    await judging.callbacks.conforms(stored)
    return judging.entry
  }

  async #watch(
    template: EncodedTemplate,
    leaseMs: number,
    tx: Transaction | undefined,
    onSeen: () => void,
  ): Promise<() => void> {
    tx?.watch()
    const callbacks = { onEvent: onSeen, onMissed: onSeen, onEnded: onSeen }
    const interest = { templates: [template], on: 'available' as const, leaseMs, tx: tx?.id, ...callbacks }
    const { id } = await this.#engine.notify(interest)
    return () => void this.#engine.cancel(id).catch(() => {})
  }
}

/**
 * Returns the new contents of an entry, as a write would store them.
 * @throws SpaceError INVALID_ENTRY; INVALID_ARGUMENT if its kind is not defined in this process, or the field that
 *   decides its partition would have another value
 */
async function contentsOf(
  stored: Stored,
  before: Entry,
  fields: object,
  asked: Definition | undefined,
): Promise<EncodedContents> {
  const kinds = stored.kinds.map(kindNamed)
  const [kind] = kinds as [string]
  const own = asked?.kind === kind ? asked : definitionOf(kind)
  if (!own) {
    const why = 'this process does not know its indexes and its schema'
    throw new SpaceError('INVALID_ARGUMENT', `An entry of ${kind} cannot be changed: ${why}. Define the kind.`)
  }
  const { index, partition, schemas } = own
  const entry = { ...fields }
  remember(entry, { kinds, index, partition, schemas, info: undefined })
  const encoded = await encodedOf(entry)
  if (partition !== undefined && encoded.partition !== tokensIn(before).get(partition)) {
    const advice = 'Take the entry and write another one.'
    throw new SpaceError(
      'INVALID_ARGUMENT',
      `${partition} decides the partition of a ${kind}, and cannot be changed. ${advice}`,
    )
  }
  return encoded
}

/** Returns a template of what matches both, which are of one kind. */
function both(template: EncodedTemplate, other: EncodedTemplate): EncodedTemplate {
  const union = (a: readonly string[] = [], b: readonly string[] = []): string[] => [...new Set([...a, ...b])].sort()
  return {
    ...template,
    indexed: union(template.indexed, other.indexed),
    verified: union(template.verified, other.verified),
    compound: union(template.compound, other.compound),
    partition: template.partition ?? other.partition,
  }
}

/** Returns the token of each field: equal values have equal tokens. */
const tokensIn = (fields: object): ReadonlyMap<string, string> =>
  new Map(Object.entries(packFields(fields)).map(([name, value]) => [nameOf(name), tokenOf(value)]))

const hasAll = (tokens: ReadonlyMap<string, string>, asked: ReadonlyMap<string, string>): boolean =>
  [...asked].every(([name, token]) => tokens.get(name) === token)

/** Entry: a kind and fields. `defineEntry` makes a kind; calling the kind makes an entry of it. */

import { ANY_KIND, OWN_KINDS } from './engine.js'
import { isPlain } from './entry/codec.js'
import { noteDefinition } from './entry/definitions.js'
import { noteKeyedKind } from './entry/keyed-kinds.js'
import { chainOf, type Definition, type EntryInfo, type Index, type Origin, originOf, remember } from './entry/kind.js'
import { noteKind } from './entry/known-kinds.js'
import { MOST_FIELDS } from './entry/limits.js'
import type { Narrowed, TemplateFields } from './entry/narrowed.js'
import { Ordered } from './entry/ordered.js'
import {
  checkedSchema,
  type InputOf,
  namesOf,
  type OutputOf,
  type Schemas,
  type StandardSchema,
} from './entry/schema.js'
import { Template } from './entry/template.js'
import { onlyKnown } from './errors/unknown-option.js'
import { SpaceError } from './errors.js'

export type { EntryInfo } from './entry/kind.js'

/** Names of kinds are parts of keys. */
const LONGEST_NAME = 100

/**
 * The type of entries that a kind made or a space returned. It exists for the compiler only: entries are plain objects,
 * and a copy of one is not an entry.
 */
declare abstract class Made {
  private readonly madeByItsKind: true
}

/**
 * A plain object with the fields, made by a kind or returned by a space; nothing else can be written. `entryInfo`
 * returns its id, lease and so on.
 */
export type Entry<F extends object = Record<string, unknown>> = Readonly<F> & Made

/** The type of parts of entries. It exists for the compiler only. */
declare abstract class Cut {
  private readonly cutFromAnEntry: true
}

/**
 * Some fields of an entry, as `contents` yields them with `fields`: a plain object. `entryInfo` accepts it; it cannot be
 * written.
 */
export type EntryPart<F extends object> = Readonly<F> & Cut

/**
 * `T` without values that no entry can hold: functions, symbols, and instances of classes other than Date and
 * Uint8Array, recognised by their methods. The fields of a kind must be assignable to this.
 */
type Storable<T> = T extends Date | Uint8Array
  ? T
  : T extends ((...args: never[]) => unknown) | symbol
    ? never
    : T extends object
      ? { readonly [K in keyof T]: Storable<T[K]> }
      : T

type StorableFields<F> = { readonly [K in keyof F]: Storable<F[K]> }

/** The fields of a kind that was defined without a type. */
// biome-ignore lint/suspicious/noExplicitAny: the program knows what it stores
export type AnyFields = Record<string, any>

/** Fields, lists of two or more fields that are indexed together, and fields whose values are kept in order. */
type IndexOver<F> = readonly (NameOf<F> | readonly [NameOf<F>, NameOf<F>, ...NameOf<F>[]] | Ordered<NameOf<F>>)[]

type NameOf<F> = keyof F & string

export interface EntryOptions<F extends object> {
  /**
   * The indexed fields. Default: every field with a single value (no object, no array).
   *
   * A list within the list is one compound index, for templates that name all its fields: worth its memory if each
   * field alone has many matches and all together few. It works if every writer of the kind, and of related kinds,
   * declares it. `ordered(field)` keeps the values of a field in order, for comparisons.
   * @example defineEntry<{ id: string; customer: string; state: string }>('Order', { index: ['id', ['customer', 'state']] })
   */
  readonly index?: IndexOver<F> | undefined
  /**
   * The field that decides the partition of an entry, in a space of several partitions (docs/partitions.md): entries
   * with the same value are in one partition, so they keep their order and can be changed in one transaction, and a
   * template with this field is looked up there alone. Every program that uses the kind, or one that extends it,
   * declares it. Default: an entry goes to any partition.
   * @example defineEntry<{ id: string; customer: string }>('Order', { partition: 'customer' })
   */
  readonly partition?: NameOf<F> | undefined
  readonly schema?: undefined
}

export interface SchemaOptions<S extends StandardSchema<object, object>> {
  /**
   * A schema of all fields, inherited ones included: zod, valibot, arktype or any other Standard Schema. It may be
   * asynchronous. It must leave its own output unchanged (docs/javaspaces.md).
   */
  readonly schema: S
  /** As of EntryOptions. */
  readonly index?: IndexOver<OutputOf<S>> | undefined
  /** As of EntryOptions. */
  readonly partition?: NameOf<OutputOf<S>> | undefined
}

/** Names that both declare, with types that exclude each other. */
type Conflicts<F, G> = {
  [K in keyof F & keyof G]: [F[K]] extends [G[K]] ? never : [G[K]] extends [F[K]] ? never : K
}[keyof F & keyof G]

/**
 * A kind of entry: makes entries and templates, and recognises its entries. `I` is the input of the schema, `F` its
 * output.
 */
export interface EntryKind<F extends object, I extends object = F> extends Definition {
  /**
   * Makes an entry of this kind. The schema validates it at the write.
   * @throws SpaceError INVALID_ENTRY unless the fields are a plain object
   * @example await space.write(Task({ id: 't1', type: 'resize' }))
   */
  (fields: I): Entry<I>
  /**
   * Makes a template: the fields that must be equal (SameValueZero on canonical values), or match a condition (`gt`,
   * `oneOf` and others). An absent or `undefined` field is the wildcard; `null` is a value (in JavaSpaces it is the
   * wildcard). The type of a match is narrowed by what the template says of its fields.
   * @throws SpaceError INVALID_ENTRY for a value that no entry can hold, and for a field that the schema is known not
   *   to have; INVALID_ARGUMENT for more than 20 conditions
   * @example await space.take(Task.template({ type: 'resize', due: lte(now) }))
   */
  template<const T extends TemplateFields<F>>(
    fields: T & { readonly [K in Exclude<keyof T, keyof F>]: never },
  ): Template<Narrowed<F, T>, F>
  template(fields: TemplateFields<F>): Template<F, F>
  /** Defines a kind with more fields and a schema of all of them. The schemas of the extended kinds apply too. */
  extend<S extends StandardSchema<object, object>>(
    kind: [Conflicts<F, OutputOf<S>>] extends [never] ? string : never,
    options: SchemaOptions<S>,
  ): EntryKind<F & OutputOf<S>, InputOf<S>>
  /** Defines a kind with more fields. Templates of this kind match its entries. Conflicting fields are a type error. */
  extend<G extends StorableFields<G> = AnyFields>(
    kind: [Conflicts<F, G>] extends [never] ? string : never,
    options?: EntryOptions<F & G>,
  ): EntryKind<F & G, I & G>
  /** Returns whether a value is an entry of this kind or of one that extends it. */
  is(value: unknown): value is Entry<F>
}

/** Makes the entry object that a read or take returns. `kind` is the kind of the template. */
export function revive(fields: object, kinds: readonly string[], info: EntryInfo, kind: Definition): Entry {
  const entry = { ...fields }
  const own = kinds[0] === kind.kind ? kind : undefined
  remember(entry, { kinds, index: own?.index, partition: own?.partition, schemas: own?.schemas, info })
  return entry as Entry
}

/** @internal Returns these fields of an entry that a space returned, those that it has. */
export function partOfEntry(entry: Entry<object>, fields: readonly string[]): EntryPart<object> {
  const all = Object.entries(entry).filter(([name]) => fields.includes(name))
  const part = Object.fromEntries(all)
  remember(part, { kinds: [], index: undefined, info: entryInfo(entry) })
  return part as unknown as EntryPart<object>
}

/**
 * Defines a kind of entry. With a schema, its input is the type to write, its output the type that is stored. Two
 * definitions of one kind in a process are the same: if they differ, each space logs a warning.
 *
 * @param kind its name in the space: the same in every program that uses it
 * @throws SpaceError INVALID_ARGUMENT if the name is empty or reserved, or an index names a field that the schema is
 *   known not to have
 * @example
 * const Task = defineEntry<{ id: string; type: string }>('Task')
 * const BigTask = Task.extend<{ shards: number }>('BigTask') // a Task template also matches a BigTask
 * const Order = defineEntry('Order', { schema: z.object({ id: z.string(), due: z.coerce.date() }), index: ['id'] })
 */
export function defineEntry<S extends StandardSchema<object, object>>(
  kind: string,
  options: SchemaOptions<S>,
): EntryKind<OutputOf<S>, InputOf<S>>
export function defineEntry<F extends StorableFields<F> = AnyFields>(
  kind: string,
  options?: EntryOptions<F>,
): EntryKind<F>
export function defineEntry(kind: string, options: Options = {}): EntryKind<object> {
  return define('defineEntry', kind, options, undefined)
}

interface Options {
  readonly index?: Index
  readonly partition?: string
  readonly schema?: unknown
}

const OPTIONS: ReadonlySet<string> = new Set(['index', 'partition', 'schema'])

/** A schema covers all fields; the schemas of the extended kinds apply as well. */
function schemasOf(schema: StandardSchema | undefined, inherited: Schemas | undefined): Schemas | undefined {
  return schema
    ? { whole: true, list: [schema, ...(inherited?.list ?? [])] }
    : inherited && { ...inherited, whole: false }
}

function checkedName(kind: unknown): void {
  const fine = typeof kind === 'string' && kind !== '' && kind.length <= LONGEST_NAME && kind.isWellFormed()
  if (!fine || kind === ANY_KIND || kind.startsWith(OWN_KINDS)) {
    throw new SpaceError(
      'INVALID_ARGUMENT',
      `The name of a kind must have 1 to ${LONGEST_NAME} characters; ${ANY_KIND} and ${OWN_KINDS}… are reserved.`,
    )
  }
}

function checkedIndex(
  kind: string,
  index: Index | undefined,
  names: ReadonlySet<string> | undefined,
): Index | undefined {
  if (index === undefined) return undefined
  const isName = (name: unknown): boolean => typeof name === 'string' && name.isWellFormed()
  const isCompound = (item: unknown): boolean =>
    Array.isArray(item) && item.length > 1 && item.every(isName) && new Set(item).size === item.length
  const isOrdered = (item: unknown): boolean => item instanceof Ordered && isName(item.field)
  if (!Array.isArray(index) || !index.every((item) => isName(item) || isCompound(item) || isOrdered(item))) {
    throw new SpaceError(
      'INVALID_ARGUMENT',
      `The index of ${kind} must be a list of field names, of lists of two or more different field names, and of ordered(field).`,
    )
  }
  const named = (index as Index).flatMap((item) => (item instanceof Ordered ? [item.field] : item))
  const unknown = names && named.find((name) => !names.has(name))
  if (unknown !== undefined)
    throw new SpaceError('INVALID_ARGUMENT', `The index of ${kind} names ${unknown}: no such field.`)
  return index.map((item) => (Array.isArray(item) ? [...item].sort() : item))
}

/** An extended kind has the field of its parent: templates of the parent match its entries. */
function checkedPartition(
  kind: string,
  field: unknown,
  names: ReadonlySet<string> | undefined,
  inherited: string | undefined,
): string | undefined {
  if (field === undefined || field === inherited) return inherited
  if (typeof field !== 'string' || field === '' || names?.has(field) === false) {
    throw new SpaceError('INVALID_ARGUMENT', `The partition of ${kind} must be the name of one of its fields.`)
  }
  if (inherited === undefined) return field
  throw new SpaceError(
    'INVALID_ARGUMENT',
    `The partition of ${kind} is decided by ${inherited}, as that of the kind it extends.`,
  )
}

/** Copies the caller's fields once: getters run only here. Too many are refused before they are read. */
function copied(kind: string, fields: unknown): object {
  let count: number
  try {
    if (!isPlain(fields)) throw new SpaceError('INVALID_ENTRY', `${kind} takes a plain object of fields.`)
    count = Object.keys(fields).length
    if (count <= MOST_FIELDS) return { ...fields }
  } catch (cause) {
    if (cause instanceof SpaceError) throw cause
    throw new SpaceError('INVALID_ENTRY', `A field of ${kind} cannot be read.`, { cause })
  }
  throw new SpaceError('INVALID_ENTRY', `${kind} has ${count} fields, more than ${MOST_FIELDS}.`)
}

/** @internal Defines a kind of the framework's own, which AnyEntry does not match. */
export const defineOwn = <F extends object>(
  name: string,
  options: EntryOptions<F> = {},
  parent?: Definition,
): EntryKind<F> => defined(`${OWN_KINDS}${name}`, options as Options, parent) as unknown as EntryKind<F>

function define(what: string, kind: string, options: Options, parent: Definition | undefined): EntryKind<object> {
  onlyKnown(what, options, OPTIONS)
  checkedName(kind)
  return defined(kind, options, parent)
}

function defined(kind: string, options: Options, parent: Definition | undefined): EntryKind<object> {
  const schema = options.schema === undefined ? undefined : checkedSchema(kind, options.schema)
  const schemas = schemasOf(schema, parent?.schemas)
  const names = schema && namesOf(schema)
  const own = checkedIndex(kind, options.index, names)
  const index = parent?.index || own ? [...(parent?.index ?? []), ...(own ?? [])] : undefined
  const partition = checkedPartition(kind, options.partition, names, parent?.partition)
  if (partition !== undefined) noteKeyedKind(kind, partition)
  const definition: Definition = { kind, parent, index, partition, schemas, names }
  if (!kind.startsWith(OWN_KINDS)) noteDefinition(definition)
  noteKind(definition)
  const origin: Origin = { kinds: chainOf(definition), index, partition, schemas, info: undefined }
  const make = (fields: object): Entry<object> => {
    const entry = copied(kind, fields)
    remember(entry, origin)
    return entry as Entry<object>
  }
  return Object.assign(make, definition, {
    template: (fields: object) => new Template<object>(definition, copied(kind, fields)),
    extend: (name: string, more: Options = {}) => define('extend', name, more, definition),
    is: (value: unknown) => typeof value === 'object' && value !== null && !!originOf(value)?.kinds.includes(kind),
  }) as unknown as EntryKind<object>
}

/** For the compiler only: `count` and `explain` do not accept templates for every kind. */
interface OfEveryKind {
  readonly ofEveryKind: true
}

/** The type of `AnyEntry`: a kind that makes no entries and cannot be extended. */
export interface AnyEntryKind extends OfEveryKind {
  readonly kind: typeof ANY_KIND
  /**
   * A template of these fields for every kind.
   * @throws SpaceError INVALID_ENTRY for a value that no entry can hold; INVALID_ARGUMENT for conditions
   */
  template(fields: Readonly<Record<string, unknown>>): AnyTemplate
  /** Returns whether a value was made by a kind or handed out by a space. */
  is(value: unknown): value is Entry
}

/** A template for every kind. */
export type AnyTemplate = Template<Record<string, unknown>> & OfEveryKind

/**
 * Matches every kind but the framework's own: `space.read(AnyEntry)` is JavaSpaces' null template. It makes no entries.
 */
export const AnyEntry: AnyEntryKind = Object.assign(
  () => {
    throw new SpaceError('INVALID_ENTRY', 'AnyEntry is a template for every kind; define a kind to write entries.')
  },
  {
    kind: ANY_KIND,
    parent: undefined,
    index: undefined,
    template: (fields: object) =>
      new Template<Record<string, unknown>>(AnyEntry as unknown as Definition, copied('AnyEntry', fields)),
    extend: () => {
      throw new SpaceError('INVALID_ARGUMENT', 'AnyEntry cannot be extended; use defineEntry.')
    },
    is: (value: unknown) => typeof value === 'object' && value !== null && !!originOf(value)?.kinds.length,
  },
) as unknown as AnyEntryKind

/**
 * Returns id, kind, priority, time of writing and lease of an entry that a space returned, or of a part of one.
 * @throws SpaceError INVALID_ARGUMENT for any other object
 */
export function entryInfo(entry: Entry<object> | EntryPart<object>): EntryInfo {
  const info = originOf(entry)?.info
  if (!info) throw new SpaceError('INVALID_ARGUMENT', 'entryInfo wants an entry that a space handed out.')
  return info
}

/** The argument of takes and reads: a template, or a kind, which matches all its entries. */
export type Matching<F extends object> = Template<F> | Whole<F>

/** The part of a kind that is used as a template of all its entries. */
export interface Whole<F extends object> {
  readonly kind: string
  template(fields: never): Template<F>
}

/** The target of an update: a kind, or a template of it. `W`: the fields of the kind, whatever the template says of them. */
export type Updatable<W extends object> = Template<object, W> | Whole<W>

/** The fields of what a template or a kind matches. */
export type FieldsOf<M> = M extends Matching<infer F> ? F : never

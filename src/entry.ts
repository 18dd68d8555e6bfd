/** Entry: a kind and fields. `defineEntry` makes a kind; calling the kind makes an entry of it. */
import { ANY_KIND, OWN_KINDS } from './engine.js'
import { SpaceError } from './errors.js'
import { chainOf, type Definition, type EntryInfo, type Origin, originOf, remember } from './kind.js'
import { Template } from './template.js'

export type { EntryInfo } from './kind.js'

/** Names of kinds are parts of keys. */
const LONGEST_NAME = 100

/** An entry is plain properties. What the space knows of it is asked by `entryInfo`. */
export type Entry<F extends object = Record<string, unknown>> = Readonly<F>

export interface EntryOptions<F extends object> {
  /** The fields that templates are looked up by. Default: every field with a single value (no object, no array). */
  readonly index?: readonly (keyof F & string)[]
}

/** Names that both declare, with types that exclude each other. */
type Conflicts<F, G> = {
  [K in keyof F & keyof G]: [F[K]] extends [G[K]] ? never : [G[K]] extends [F[K]] ? never : K
}[keyof F & keyof G]

/** A kind of entry: makes entries and templates, and tells its own apart. */
export interface EntryKind<F extends object> extends Definition {
  /**
   * An entry of this kind, ready to be written.
   * @example await space.write(Task({ id: 't1', type: 'resize' }))
   */
  (fields: F): Entry<F>
  /**
   * A template: the fields that must be equal (SameValueZero on canonical values). An absent or `undefined` field is the wildcard;
   * `null` is a value (JavaSpaces has it as the wildcard).
   * @example await space.take(Task.template({ type: 'resize' }))
   */
  template(fields: { readonly [K in keyof F]?: F[K] | undefined }): Template<F>
  /** A kind with more fields, whose entries templates of this one match too. Fields that conflict are a type error. */
  extend<G extends object>(
    kind: [Conflicts<F, G>] extends [never] ? string : never,
    options?: EntryOptions<F & G>,
  ): EntryKind<F & G>
  /** Whether a value is an entry of this kind or of one that extends it. */
  is(value: unknown): value is Entry<F>
}

/** Makes the entry object that a read or take resolves with. */
export function revive(fields: object, kinds: readonly string[], info: EntryInfo): Entry {
  const entry = { ...fields }
  remember(entry, { kinds, index: undefined, info })
  return entry
}

/**
 * Defines a kind of entry.
 *
 * @param kind its name in the space: the same in every program that uses it
 * @throws SpaceError INVALID_ARGUMENT if the name is empty or reserved
 * @example
 * const Task = defineEntry<{ id: string; type: string }>('Task')
 * const BigTask = Task.extend<{ shards: number }>('BigTask') // a Task template also matches a BigTask
 */
export function defineEntry<F extends object>(kind: string, options: EntryOptions<F> = {}): EntryKind<F> {
  return define<F>(kind, options.index, undefined)
}

function define<F extends object>(
  kind: string,
  index: readonly string[] | undefined,
  parent: Definition | undefined,
): EntryKind<F> {
  const reserved = kind === ANY_KIND || String(kind).startsWith(OWN_KINDS)
  if (typeof kind !== 'string' || kind === '' || kind.length > LONGEST_NAME || reserved) {
    throw new SpaceError(
      'INVALID_ARGUMENT',
      `A kind needs a name of at most ${LONGEST_NAME} characters; ${ANY_KIND} and ${OWN_KINDS}… are reserved.`,
    )
  }
  const definition: Definition = { kind, parent, index }
  const origin: Origin = { kinds: chainOf(definition), index, info: undefined }
  const make = (fields: F): Entry<F> => {
    if (typeof fields !== 'object' || fields === null) {
      throw new SpaceError('INVALID_ENTRY', `${kind} wants an object of fields.`)
    }
    const entry = { ...fields }
    remember(entry, origin)
    return entry
  }
  return Object.assign(make, definition, {
    template: (fields: object) => new Template<F>(definition, fields),
    extend: (name: string, options: EntryOptions<Record<string, unknown>> = {}) =>
      define(name, index || options.index ? [...(index ?? []), ...(options.index ?? [])] : undefined, definition),
    is: (value: unknown) => typeof value === 'object' && value !== null && !!originOf(value)?.kinds.includes(kind),
  }) as unknown as EntryKind<F>
}

/** Matches every kind but the framework's own: `space.read(AnyEntry)` is JavaSpaces' null template. It makes no entries. */
export const AnyEntry: EntryKind<Record<string, unknown>> = Object.assign(
  () => {
    throw new SpaceError('INVALID_ENTRY', 'AnyEntry is a template for every kind; define a kind to write entries.')
  },
  {
    kind: ANY_KIND,
    parent: undefined,
    index: undefined,
    template: (fields: object) => new Template<Record<string, unknown>>(AnyEntry, fields),
    extend: () => {
      throw new SpaceError('INVALID_ARGUMENT', 'AnyEntry cannot be extended; use defineEntry.')
    },
    is: (value: unknown) => typeof value === 'object' && value !== null && originOf(value) !== undefined,
  },
) as unknown as EntryKind<Record<string, unknown>>

/**
 * What the space knows of an entry that it handed out.
 * @throws SpaceError INVALID_ARGUMENT for anything else
 */
export function entryInfo(entry: object): EntryInfo {
  const info = originOf(entry)?.info
  if (!info) throw new SpaceError('INVALID_ARGUMENT', 'entryInfo wants an entry that a space handed out.')
  return info
}

/** What takes and reads accept: a template, or a kind, which stands for all of it. */
export type Matching<F extends object> = Template<F> | EntryKind<F>

/** Kinds: their definitions, and what is known of an entry object beside its fields. */
import type { Ordered } from './ordered.js'
import type { Schemas } from './schema.js'

/** Indexed fields, compound indexes of two or more fields, sorted, and fields whose values are kept in order. */
export type Index = readonly (string | readonly string[] | Ordered)[]

/** A kind, without the types of its fields. */
export interface Definition {
  readonly kind: string
  /** The kind it extends, if any. */
  readonly parent: Definition | undefined
  readonly index: Index | undefined
  /** The field that decides the partition of its entries. */
  readonly partition?: string | undefined
  /** The schemas of its fields. */
  readonly schemas?: Schemas | undefined
  /** The names of all fields, if its schema tells them. */
  readonly names?: ReadonlySet<string> | undefined
}

export interface EntryInfo {
  /** The space's id of this entry; the same in every process. */
  readonly id: string
  readonly kind: string
  readonly priority: number
  /** ms since 1970 on the space's clock. */
  readonly writtenAt: number
  /** Rest of its lease when the space returned it, in ms; Infinity = for ever. */
  readonly leaseMs: number
}

/** Kinds, index and lease of an entry object. Stored outside the object, so that entries are plain objects. */
export interface Origin {
  /** Its own kind first, then the kinds it extends; none if the object is a part of an entry. */
  readonly kinds: readonly string[]
  readonly index: Index | undefined
  readonly partition?: string | undefined
  readonly schemas?: Schemas | undefined
  readonly info: EntryInfo | undefined
}

const origins = new WeakMap<object, Origin>()

export const originOf = (entry: object): Origin | undefined => origins.get(entry)

export const chainOf = (kind: Definition): string[] => [kind.kind, ...(kind.parent ? chainOf(kind.parent) : [])]

/** Records the origin of an entry object. */
export const remember = (entry: object, origin: Origin): void => {
  origins.set(entry, origin)
}

/** What a kind is, and what is known of an entry beside its fields: of which kind it is, and whence it came. */
import type { Schemas } from './schema.js'

/** What templates are looked up by: single fields, and fields that are looked up together (two or more, sorted). */
export type Index = readonly (string | readonly string[])[]

/** What a kind is, apart from the types of its fields. */
export interface Definition {
  readonly kind: string
  /** The kind it extends, if any. */
  readonly parent: Definition | undefined
  readonly index: Index | undefined
  /** What its fields must be, if anything says so. */
  readonly schemas?: Schemas | undefined
  /** All its fields, if its schema can tell them. */
  readonly names?: ReadonlySet<string> | undefined
}

export interface EntryInfo {
  /** The space's id of this entry; the same in every process. */
  readonly id: string
  readonly kind: string
  readonly priority: number
  /** Milliseconds since 1970 on the space's clock. */
  readonly writtenAt: number
  /** Milliseconds that its lease had still to run when the space handed it out; Infinity = for ever. */
  readonly leaseMs: number
}

/** What the space keeps about an entry object, apart from its fields so that these stay plain. */
export interface Origin {
  /** Its own kind first, then the kinds it extends. */
  readonly kinds: readonly string[]
  readonly index: Index | undefined
  readonly schemas?: Schemas | undefined
  readonly info: EntryInfo | undefined
}

const origins = new WeakMap<object, Origin>()

export const originOf = (entry: object): Origin | undefined => origins.get(entry)

export const chainOf = (kind: Definition): string[] => [kind.kind, ...(kind.parent ? chainOf(kind.parent) : [])]

/** Entries are plain properties; what belongs to them stands apart. */
export const remember = (entry: object, origin: Origin): void => {
  origins.set(entry, origin)
}

/** Entries, templates and deliveries as engines are given them and give them out. */

/** An entry to be written: its matching tokens, and its fields as opaque bytes. */
export interface EncodedEntry {
  readonly id: string
  /** Its own kind first, then the kinds that it extends; the last one is the root. */
  readonly kinds: readonly string[]
  /**
   * `field=token` of each indexed field, and `field;field=token` of compound indexes. `field=~` of each field that the
   * index of its kind names, and the entry does not have.
   */
  readonly indexed: readonly string[]
  /**
   * `field=token` of the other fields; a match on them is verified by comparison. `field:beginning` of each field that
   * has an order, and a hash for a token. `,field` of each field whose values are kept in order.
   */
  readonly verified: readonly string[]
  /**
   * The index of its kind: `*` is every single value (the default), else `:field:field@:field;field:`; `field@` stands
   * for the absence of a field, `field<` for the order of its values.
   */
  readonly index?: string
  readonly body: Buffer
  readonly leaseMs: number
  readonly priority: number
  /** Set for a request: its outcome is reported to the process that wrote it. */
  readonly request?: RequestTerms
  /** The token of the field that decides the partition; absent: any partition will do. */
  readonly partition?: string | undefined
  /** The name of that field, as tokens have it. */
  readonly partitionField?: string | undefined
}

export interface RequestTerms {
  /** True if another holder may follow one that died after it had started (promise 5 of DESIGN §3). */
  readonly repeatable: boolean
  /** Moved to the dead letters after this many deliveries without completion; 1 to 9. */
  readonly maxDeliveries: number
  /**
   * The body is streamed, and gone once it is read: a holder that has started has no successor, even if the request is
   * repeatable. The requester is told `lost` or `exhausted` and may write the request again.
   */
  readonly streamed?: boolean
}

/** An entry as the space hands it out. */
export interface Stored {
  readonly id: string
  readonly kinds: readonly string[]
  readonly body: Buffer
  readonly priority: number
  /** Wall clock of the space, milliseconds since 1970. */
  readonly writtenAt: number
  /** Rest of its lease when the space handed it out, in ms; Infinity = for ever. */
  readonly remainingMs: number
}

/** The relations of a field to the operands of a condition. `between` includes both ends. */
export type Operator = 'gt' | 'gte' | 'lt' | 'lte' | 'between' | 'oneOf' | 'startsWith' | 'present'

/** A condition of a template on one field. */
export interface EncodedCondition {
  /** The field, as tokens name it. */
  readonly field: string
  readonly operator: Operator
  /** True if it holds where the operator does not: of entries without the field, too. */
  readonly isNegated: boolean
  /** Tokens, in order, if it is `oneOf`; values that are never hashes (token.ts) if it compares. */
  readonly operands: readonly string[]
}

/** A template as engines are given it. */
export interface EncodedTemplate {
  /** The kind asked for, or ANY_KIND. */
  readonly kind: string
  /** The root of that kind's chain, under which its fields are indexed. */
  readonly root: string
  readonly indexed: readonly string[]
  readonly verified: readonly string[]
  /** Conditions on other fields, in order; absent: none. */
  readonly conditions?: readonly EncodedCondition[]
  /** The field with a condition by which matches come in order, smallest first, before priority and age. */
  readonly orderedBy?: string
  /**
   * Tokens of compound indexes: a shortcut where all writers of the kind declare the same index. They are not compared.
   */
  readonly compound?: readonly string[]
  /**
   * For offers: a match has one of these `field=token`, all of the same field. Finds and listings ignore it. Without
   * other tokens, each is searched by its own index.
   */
  readonly anyOf?: readonly string[]
  /** The token that decides the partition of all matches; absent: they may be in any. */
  readonly partition?: string | undefined
}

/** How an engine searches for a template. */
export interface SearchPlan {
  /** The fields, as tokens name them, whose index leads to the matches; [] if all entries of the kind are looked at. */
  readonly index: readonly string[]
  /** Entries in that index: a search looks at no more. */
  readonly candidates: number
}

/** The template kind that matches every kind but the framework's own. */
export const ANY_KIND = '*'

/** Prefix of the framework's own kinds. */
export const OWN_KINDS = 'takespace.'

/**
 * The kind of dead letters. The body is the reason (a token), the signature of the original entry (signature.ts), a
 * newline, and the original body.
 */
export const DEAD_LETTER = `${OWN_KINDS}DeadLetter`

/** The root of the kinds of the control: they are beside the bounds of the space, and as many as its processes. */
export const CONTROL = `${OWN_KINDS}Control`

/** An entry that was handed to an offer: held under a claim until it is completed, released or lost. */
export interface Delivery extends Stored {
  /** `field=token` of each indexed field. */
  readonly indexed: readonly string[]
  /** The fencing token of this claim, opaque to its holder. */
  readonly claim: string
  /** 1 on the first delivery. */
  readonly attempt: number
  /** From written to delivered, on the space's clock. */
  readonly waitedMs: number
  readonly repeatable: boolean
  /** The process that waits for the outcome; '' if the entry is not a request. */
  readonly requester: string
  /** Set by the holder; called if the space ends the claim before the holder does. */
  holder?: { lost(): void } | undefined
}

/** Entries, templates and deliveries as engines are given them and give them out. */

/** An entry on its way into the space: its matching tokens in the open, its fields as opaque bytes. */
export interface EncodedEntry {
  readonly id: string
  /** Its own kind first, then the kinds it extends; the last is its root. */
  readonly kinds: readonly string[]
  /** `field=token` of each field that finds may go by, and `field;field=token` of those that its kind indexes together. */
  readonly indexed: readonly string[]
  /** `field=token` of the others; a match on them is verified. */
  readonly verified: readonly string[]
  /** What its kind indexes: `*` every single value (the default), or `:field:field;field:`. */
  readonly index?: string
  readonly body: Buffer
  readonly leaseMs: number
  readonly priority: number
  /** A request: its answer goes back to the process that wrote it. */
  readonly request?: RequestTerms
}

export interface RequestTerms {
  /** Whether a holder that dies after it started may be followed by another (promise 5 of DESIGN §3). */
  readonly repeatable: boolean
  /** After so many deliveries without completion it is set aside; 1 to 9. */
  readonly maxDeliveries: number
  /**
   * Its body comes bit by bit, and is gone once it is read: whoever holds it when it has started has no successor, however repeatable it is. Its
   * requester hears `lost`, or `exhausted`, and may write it again.
   */
  readonly streamed?: boolean
}

/** An entry as it stands in the space. */
export interface Stored {
  readonly id: string
  readonly kinds: readonly string[]
  readonly body: Buffer
  readonly priority: number
  /** Wall clock of the space, milliseconds since 1970. */
  readonly writtenAt: number
  /** Milliseconds that its lease had still to run when the space handed it out; Infinity = for ever. */
  readonly remainingMs: number
}

/** A template on its way into the space. */
export interface EncodedTemplate {
  /** The kind asked for, or ANY_KIND. */
  readonly kind: string
  /** The root of that kind's chain, under which its fields are indexed. */
  readonly root: string
  readonly indexed: readonly string[]
  readonly verified: readonly string[]
  /** Of fields that its kind indexes together: a way to the matches where everybody indexes them so, and nothing to be compared. */
  readonly compound?: readonly string[]
  /** Of an offer: a match has one of these `field=token`, all of one field. Finds and listings do not heed it. */
  readonly anyOf?: readonly string[]
}

/** Stands for every kind but the framework's own. */
export const ANY_KIND = '*'

/** The names of the framework's own kinds begin so. */
export const OWN_KINDS = 'takespace.'

/** What was set aside. Its body is the reason (a token), the signature of what it was (signature.ts), a newline, and the body that it had. */
export const DEAD_LETTER = `${OWN_KINDS}DeadLetter`

/** An entry handed to a standing offer: held under a claim until it is completed, released or lost. */
export interface Delivery extends Stored {
  /** The fencing token under which the space knows this holder, opaque to it. */
  readonly claim: string
  /** 1 on the first delivery. */
  readonly attempt: number
  /** From written to delivered, on the space's clock. */
  readonly waitedMs: number
  readonly repeatable: boolean
  /** The process that waits for the outcome; '' for an entry that is no request. */
  readonly requester: string
  /** Set by whoever holds it: hears it if the space ends the claim before the holder did. */
  holder?: { lost(): void } | undefined
}

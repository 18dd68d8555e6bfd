/** Records as this side writes and reads them; record.lua draws the layout. */
import type { EncodedEntry, Stored } from '../../engine.js'
import { signatureOf } from '../../entry/signature.js'

/** A body larger than this goes around Lua, under a key of its own: each copy there costs about 1 ns per byte. */
export const LARGEST_INLINE = 2048

const PRIORITY_STEP = 2 ** 44
const SCORE_ZERO = 2 ** 52
const NEVER = '9999999999999'

/** What stands before the signature: may it run again, where is its body, who waits for the outcome. */
function headOf(entry: EncodedEntry, presence: string): string {
  const place = entry.body.length > LARGEST_INLINE ? '@' : '.'
  if (!entry.request) return `e${place}`
  const { repeatable, maxDeliveries, streamed } = entry.request
  return `${streamed ? 's' : repeatable ? 'q' : 'Q'}${place}${presence}${maxDeliveries}`
}

/** What many entries share, in one word: the space parses it once for all of them in a call. */
export function formOf(entry: EncodedEntry, presence: string): string {
  const lease = entry.leaseMs === Number.POSITIVE_INFINITY ? -1 : Math.ceil(entry.leaseMs)
  return `${lease} ${entry.priority} ${headOf(entry, presence)}${signatureOf(entry)}`
}

export interface Parsed extends Stored {
  readonly deaths: number
  readonly repeatable: boolean
  /** The presence that waits for its outcome; empty for an entry that is no request. */
  readonly replyTo: string
  /** Whether the body stands under a key of its own; `body` is empty then. */
  readonly byReference: boolean
}

const E = 'e'.charCodeAt(0)
const AGAIN = 'q'.charCodeAt(0)
const REFERENCE = '@'.charCodeAt(0)
const NEWLINE = 10

export function parseRecord(id: string, record: Buffer, now: number): Parsed {
  const fixed = record.toString('latin1', 0, 43)
  const isRequest = record[43] !== E
  const head = isRequest ? 68 : 45
  const end = record.indexOf(NEWLINE, head)
  const ends = fixed.slice(0, 13)
  return {
    id,
    kinds: kindsIn(record.toString('utf8', head, end)),
    body: record.subarray(end + 1),
    priority: 0 - Math.floor((Number(fixed.slice(27, 43)) - SCORE_ZERO) / PRIORITY_STEP),
    writtenAt: Number(fixed.slice(13, 26)),
    remainingMs: ends === NEVER ? Number.POSITIVE_INFINITY : Number(ends) - now,
    deaths: record[26]! - 48,
    repeatable: !isRequest || record[43] === AGAIN,
    replyTo: isRequest ? record.toString('latin1', 45, 67) : '',
    byReference: record[44] === REFERENCE,
  }
}

/** Signatures repeat (every request of a service has the same), so what was read out of one is kept, within a bound. */
const kindsOfSignature = new Map<string, readonly string[]>()

function kindsIn(signature: string): readonly string[] {
  let kinds = kindsOfSignature.get(signature)
  if (!kinds) {
    kinds = signature
      .split('|')
      .filter((item) => item.startsWith('@'))
      .map((item) => item.slice(1))
    if (kindsOfSignature.size >= 1_000) kindsOfSignature.clear()
    kindsOfSignature.set(signature, kinds)
  }
  return kinds
}

/** Records as TypeScript writes and reads them; RECORD in protocol.ts is their layout. */
import type { EncodedCondition, EncodedEntry, EncodedTemplate, RequestTerms, Stored } from '../../engine.js'
import { readSignature, signatureOf } from '../../entry/signature.js'
import { checksumOfBody, crcOfSignature, isChecked } from './checksum.js'
import { CHECKSUM, PLACE, RECORD, RECORD_TYPE, SHARED } from './protocol.js'
import { type Argument, Prefixed } from './wire/resp.js'

/** Returns the head of a record, from its type to its signature. */
function headOf(entry: EncodedEntry, presence: string): string {
  const place = entry.body.length > SHARED.largestInline ? PLACE.reference : PLACE.inline
  if (!entry.request) return RECORD_TYPE.entry + place
  const { repeatable, maxDeliveries, streamed } = entry.request
  const type = streamed ? RECORD_TYPE.streamed : repeatable ? RECORD_TYPE.repeatable : RECORD_TYPE.once
  return `${type}${place}${presence}${maxDeliveries}`
}

/** Returns a lease as operations have it: whole ms, -1 for ever. */
export const leaseText = (ms: number): string => (ms === Number.POSITIVE_INFINITY ? '-1' : String(Math.ceil(ms)))

/** Returns the arguments of an entry: header, id, and body with its checksum; of a large body the checksum alone. */
export function entryArguments(entry: EncodedEntry, presence: string): Argument[] {
  const isLarge = entry.body.length > SHARED.largestInline
  const { header, crc } = entry.request && !isLarge ? headerOfRequest(entry, presence) : headerOf(entry, presence)
  const body = isLarge ? EMPTY : entry.body
  return [header, entry.id, new Prefixed(checksumOfBody(crc, body), body)]
}

interface Header {
  readonly header: string
  /** The CRC-32 of the signature. */
  readonly crc: number
}

function headerOf(entry: EncodedEntry, presence: string): Header {
  const signature = signatureOf(entry)
  const header = `${leaseText(entry.leaseMs)} ${entry.priority} ${headOf(entry, presence)}${signature}`
  return { header, crc: contentsOf(signature).crc }
}

interface RequestHeader extends Header, Omit<EncodedEntry, 'id' | 'body' | 'index'>, Partial<RequestTerms> {
  readonly presence: string
}

/** The header made last: most requests of a busy process are those of one route. */
let last: RequestHeader | undefined

/** The same for a request with a small body. Requests of a service share their kinds and tokens (request/kinds.ts). */
function headerOfRequest(entry: EncodedEntry, presence: string): Header {
  const { kinds, indexed, verified, leaseMs, priority, request } = entry
  const { repeatable, maxDeliveries, streamed } = request!
  if (
    last?.indexed === indexed &&
    last.kinds === kinds &&
    last.verified === verified &&
    last.leaseMs === leaseMs &&
    last.priority === priority &&
    last.repeatable === repeatable &&
    last.maxDeliveries === maxDeliveries &&
    last.streamed === streamed &&
    last.presence === presence
  ) {
    return last
  }
  const made = headerOf(entry, presence)
  last = { ...made, presence, kinds, indexed, verified, leaseMs, priority, repeatable, maxDeliveries, streamed }
  return last
}

const EMPTY = Buffer.alloc(0)

const packedTemplates = new WeakMap<EncodedTemplate, string>()

/**
 * Returns a template as operations have it: kind, root, indexed, verified and compound tokens, separated by tabs, and
 * behind one more tab each its conditions, if it has any, and the field by which matches are in order.
 */
export function packedTemplate(template: EncodedTemplate): string {
  let packed = packedTemplates.get(template)
  if (packed === undefined) {
    const { kind, root, indexed, verified, compound = [], conditions, orderedBy } = template
    const parts = [kind, root, indexed.join('|'), verified.join('|'), compound.join('|')]
    if (conditions) parts.push(conditions.map(packedCondition).join('|'))
    if (orderedBy !== undefined) parts.push(orderedBy)
    packed = parts.join('\t')
    packedTemplates.set(template, packed)
  }
  return packed
}

/** Returns `?field=operator`, with `!` before the operator of a negated one, and the operands, separated by |. */
const packedCondition = ({ field, operator, isNegated, operands }: EncodedCondition): string =>
  [`?${field}=${isNegated ? '!' : ''}${operator}`, ...operands].join('|')

/** Returns the arguments of new contents: place and signature, and as of an entry the body with its checksum. */
export function contentsArguments(
  contents: Pick<EncodedEntry, 'kinds' | 'indexed' | 'verified' | 'body'>,
  isByReference: boolean,
): { readonly head: string; readonly body: Prefixed } {
  const signature = signatureOf(contents)
  const body = isByReference ? EMPTY : contents.body
  const head = (isByReference ? PLACE.reference : PLACE.inline) + signature
  return { head, body: new Prefixed(checksumOfBody(crcOfSignature(signature), body), body) }
}

export interface Parsed extends Stored {
  /** Kinds and tokens, as the record has them: they tell all contents. */
  readonly signature: string
  readonly indexed: readonly string[]
  readonly deaths: number
  readonly repeatable: boolean
  /** Presence that waits for the outcome; '' for an entry that is not a request. */
  readonly requester: string
  /** The body has a key of its own; `body` is then empty, or the head of the body of a dead letter. */
  readonly byReference: boolean
  /** It is not what was written: `body` must not be used, and the entry is to be set aside. */
  readonly damaged: boolean
}

const ENTRY = RECORD_TYPE.entry.charCodeAt(0)
const REPEATABLE = RECORD_TYPE.repeatable.charCodeAt(0)
const REFERENCE = PLACE.reference.charCodeAt(0)
const ZERO = '0'.charCodeAt(0)
const NEWLINE = 10
// Positions in a record are counted from 1, in a buffer from 0.
const TYPE_AT = RECORD.type.from - 1
const PLACE_AT = RECORD.place.from - 1
const DEATHS_AT = RECORD.deaths.from - 1
const SIGNATURE_AT = RECORD.signature.from - 1
const REQUEST_SIGNATURE_AT = RECORD.requestSignature.from - 1

/** Returns the part of a text that a layout names. */
export const part = (text: string, { from, to }: { readonly from: number; readonly to: number }): string =>
  text.slice(from - 1, to)

export function parseRecord(id: string, record: Buffer, now: number): Parsed {
  const fixed = record.toString('latin1', 0, RECORD.score.to)
  const isRequest = record[TYPE_AT] !== ENTRY
  const signatureAt = isRequest ? REQUEST_SIGNATURE_AT : SIGNATURE_AT
  const end = record.indexOf(NEWLINE, signatureAt)
  const { kinds, indexed, crc, signature } = contentsOf(record.toString('utf8', signatureAt, end))
  const body = record.subarray(end + 1 + CHECKSUM.length)
  const ends = part(fixed, RECORD.expiresAt)
  return {
    id,
    signature,
    kinds,
    indexed,
    body,
    priority: 0 - Math.floor((Number(part(fixed, RECORD.score)) - SHARED.scoreZero) / SHARED.priorityStep),
    writtenAt: Number(part(fixed, RECORD.writtenAt)),
    remainingMs: ends === SHARED.never ? Number.POSITIVE_INFINITY : Number(ends) - now,
    deaths: record[DEATHS_AT]! - ZERO,
    repeatable: !isRequest || record[TYPE_AT] === REPEATABLE,
    requester: isRequest ? record.toString('latin1', RECORD.requester.from - 1, RECORD.requester.to) : '',
    byReference: record[PLACE_AT] === REFERENCE,
    damaged: end < 0 || !isChecked(record, end + 1, crc, signature),
  }
}

interface Contents {
  readonly signature: string
  readonly kinds: readonly string[]
  readonly indexed: readonly string[]
  readonly crc: number
}

/** By signature, at most 1,000: all requests of a service have the same signature. */
const contents = new Map<string, Contents>()

function contentsOf(signature: string): Contents {
  let known = contents.get(signature)
  if (!known) {
    const { kinds, indexed } = readSignature(signature)
    known = { signature, kinds, indexed, crc: crcOfSignature(signature) }
    if (contents.size >= 1_000) contents.clear()
    contents.set(signature, known)
  }
  return known
}

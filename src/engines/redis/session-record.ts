/** Session entries as TypeScript writes and reads them; session-entry.lua draws the layout. */
import { isAscii } from 'node:buffer'
import type { Attribute, LoadedSession, SessionChange } from '../../engine/sessions.js'
import { checksumOf, isChecksumOf } from './checksum.js'
import { CHECKSUM, SESSION_RECORD, SHARED, SIGN } from './protocol.js'
import { part } from './record.js'
import type { Arguments } from './wire/operation.js'

/** Names that a record holds as they are; others are percent-encoded. */
const PLAIN = /^[\w.-]+$/

/**
 * All attributes are sent if the unchanged ones have at most this many characters, or at most as many as the changed
 * ones: then the space need not take the entry apart. Otherwise unchanged attributes are left in place.
 */
const SENT_ALONG = 512

/** Placeholder for the end of the lease and its sum, which the space fills in. */
const UNTIMED = '0'.repeat(SESSION_RECORD.leaseSum.to)

/** Index of the owner in the first line. */
const OWNER_AT = SESSION_RECORD.owner.from - 1

export const encoded = (text: string): string => (PLAIN.test(text) ? text : encodeURIComponent(text))

/** Returns a time on the lease clock as a record has it, 13 digits; Infinity = never. */
export const timeText = (ms: number): string =>
  ms >= Number(SHARED.never) ? SHARED.never : String(Math.ceil(ms)).padStart(13, '0')

/** Returns the text that was encoded; null if it is malformed. */
function decoded(text: string): string | null {
  try {
    return text.includes('%') ? decodeURIComponent(text) : text
  } catch {
    return null
  }
}

const NOT_LOCKED = ' '

/** Returns the beginning of a first line: the end of the lease (13 digits), whether it is locked, and their sum. */
export const leaseHead = (ends: string, locked = NOT_LOCKED): string =>
  `${ends}${locked}${digits(((Number(ends) % SHARED.prime) * 2 + locked.charCodeAt(0) * 11) % SHARED.prime)}`

/** Returns the sum of size and version, as a first line has them, and of the owner. */
function sumOfHead(sizeAndVersion: string, owner: string): string {
  const text = `${sizeAndVersion} ${owner}`
  let sum = 0
  for (let i = 0; i < text.length; i++) sum = (sum * 31 + text.charCodeAt(i)) % SHARED.prime
  return digits(sum)
}

const digits = (sum: number): string => String(sum).padStart(3, '0')

/** A change as operations carry it. */
export interface EncodedChange {
  /** Arguments of `saveSession` except id, lease and lock; valid whatever the space has stored. */
  readonly change: Omit<Arguments<'saveSession'>, 'id' | 'leaseMs' | 'lock'>
  /** undefined if the change is not based on the whole stored entry. */
  readonly known: KnownChange | undefined
}

/** Arguments of session-save.lua except the times. */
export interface KnownChange {
  /** Size and version that the entry must have, as its first line has them. */
  readonly base: string
  readonly growth: number
  /** true: the whole entry follows; false: its first line and the changed attributes. */
  readonly isWhole: boolean
  readonly head: string
  readonly rest: string
}

/** Returns a change as operations carry it. `version` has 16 characters. */
export function encodedChange(change: SessionChange, version: string): EncodedChange {
  const { isNew, set, removed, versions, base, owner, maxBytes, lock } = change
  let records = ''
  let bytes = 0
  let size = 0
  const add = (name: string, own: string, text: string, length: number): void => {
    const code = encoded(name)
    const line = `${code}\t${own}\t${length}\n`
    records += `${checksumOf(line + text)}\t${line}${text}`
    bytes += CHECKSUM.length + 1 + line.length + length
    size += code.length + length
  }
  for (const [name, text] of set) add(name, version, text, Buffer.byteLength(text))
  const changed = bytes
  const stays = isNew || !base ? [] : [...base.attributes].filter(([name]) => !isChanged(change, name))
  const sentAlong = !isNew && base && charactersOf(stays) <= Math.max(changed, SENT_ALONG)
  if (sentAlong) for (const [name, attribute] of stays) add(name, attribute.version, attribute.text, bytesOf(attribute))
  else size += sizeOf(stays)
  const own = encoded(owner ?? (isNew ? '' : (base?.owner ?? '')))
  const sized = sizeAndVersion(size, version)
  const head = `${sized} ${sumOfHead(sized, own)} ${own}\n`
  const encodedArgs = {
    maxBytes: String(maxBytes),
    base: isNew ? '+' : sentAlong ? base.version : '',
    headLength: String(UNTIMED.length + head.length),
    changedLength: String(changed),
    removed: removed.map((name) => `${encoded(name)}\n`).join(''),
    expected: versions ? mustHave([...set.map(([name]) => name), ...removed], versions) : '',
    owner: owner === undefined && !isNew ? 'u' : '',
    contents: UNTIMED + head + records,
  }
  const isKnown = base && !isNew && owner === undefined && lock === '' && size <= maxBytes
  if (!isKnown || !(sentAlong || removed.length === 0)) return { change: encodedArgs, known: undefined }
  const before = sizeOf(base.attributes)
  const known = {
    base: sizeAndVersion(before, base.version),
    growth: size - before,
    isWhole: sentAlong === true,
    head: sentAlong ? head : head.slice(0, OWNER_AT - UNTIMED.length),
    rest: records,
  }
  return { change: encodedArgs, known }
}

const sizeAndVersion = (size: number, version: string): string => `${String(size).padStart(8, '0')} ${version}`

const charactersOf = (attributes: readonly [string, Attribute][]): number =>
  attributes.reduce((sum, [, { text }]) => sum + text.length, 0)

function sizeOf(attributes: Iterable<readonly [string, Attribute]>): number {
  let size = 0
  for (const [name, attribute] of attributes) size += encoded(name).length + bytesOf(attribute)
  return size
}

const bytesOf = ({ text, bytes }: Attribute): number => bytes ?? Buffer.byteLength(text)

const mustHave = (names: readonly string[], versions: ReadonlyMap<string, string>): string =>
  names.map((name) => `${encoded(name)} ${versions.get(name) || '-'}\n`).join('')

const isChanged = ({ set, removed }: SessionChange, name: string): boolean =>
  removed.includes(name) || set.some(([changed]) => changed === name)

/**
 * Returns the session that an entry holds; null if the entry is damaged: its sums, checksums or sizes do not agree.
 * `now`: on the lease clock.
 */
export function sessionIn(bytes: Buffer, now: number, lock: string): LoadedSession | null {
  // One character per byte. If all bytes are ASCII, texts are slices of this string.
  const all = bytes.toString('latin1')
  const isPlain = isAscii(bytes)
  const line = all.indexOf('\n')
  const head = all.slice(0, Math.max(line, 0))
  if (!isHeadSound(head)) return null
  const attributes = new Map<string, Attribute>()
  let size = 0
  for (let at = line + 1; at < all.length; ) {
    const read = attributeAt(bytes, all, at, isPlain)
    if (!read) return null
    const before = attributes.get(read.name)
    size += read.nameLength + read.bytes - (before ? read.nameLength + bytesOf(before) : 0)
    attributes.set(read.name, { version: read.version, text: read.text, bytes: read.bytes })
    at = read.end
  }
  if (size !== Number(part(head, SESSION_RECORD.size))) return null
  const ends = part(head, SESSION_RECORD.expiresAt)
  const remainingMs = ends === SHARED.never ? Number.POSITIVE_INFINITY : Number(ends) - now
  const owner = decoded(head.slice(OWNER_AT))
  if (owner === null) return null
  return { attributes, version: part(head, SESSION_RECORD.version), owner, remainingMs, lock }
}

function isHeadSound(head: string): boolean {
  const locked = part(head, SESSION_RECORD.locked)
  if (locked !== NOT_LOCKED && locked !== SIGN.started) return false
  if (head.slice(0, UNTIMED.length) !== leaseHead(part(head, SESSION_RECORD.expiresAt), locked)) return false
  const sized = head.slice(SESSION_RECORD.size.from - 1, SESSION_RECORD.version.to)
  return head.slice(SESSION_RECORD.version.to, OWNER_AT) === ` ${sumOfHead(sized, head.slice(OWNER_AT))} `
}

interface Read extends Attribute {
  readonly name: string
  /** Of the name as it is stored. */
  readonly nameLength: number
  readonly bytes: number
  /** Where the next attribute begins. */
  readonly end: number
}

/** Returns the attribute that begins at `at`; null if it is damaged. */
function attributeAt(bytes: Buffer, all: string, at: number, isPlain: boolean): Read | null {
  const from = at + CHECKSUM.length + 1
  const first = all.indexOf('\t', from)
  const second = all.indexOf('\t', first + 1)
  const text = all.indexOf('\n', second + 1) + 1
  const length = Number(all.slice(second + 1, text - 1))
  const end = text + length
  if (first < from || second < first || !(end >= text && text > second && end <= all.length)) return null
  if (all[from - 1] !== '\t' || !isChecksumOf(bytes, from, end, at)) return null
  const name = decoded(all.slice(from, first))
  if (name === null) return null
  return {
    name,
    nameLength: first - from,
    version: all.slice(first + 1, second),
    text: isPlain ? all.slice(text, end) : bytes.toString('utf8', text, end),
    bytes: length,
    end,
  }
}

/** Session entries as TypeScript writes and reads them; session-entry.lua draws the layout. */
import { isAscii } from 'node:buffer'
import type { Attribute, LoadedSession, SessionChange } from '../../engine/sessions.js'
import { SpaceError } from '../../errors.js'
import { SESSION_RECORD, SHARED } from './protocol.js'
import { part } from './record.js'
import type { Arguments } from './wire/operation.js'

/** Names that a record holds as they are; others are percent-encoded. */
const PLAIN = /^[\w.-]+$/

/**
 * All attributes are sent if the unchanged ones have at most this many characters, or at most as many as the changed
 * ones: then the space need not take the entry apart. Otherwise unchanged attributes are left in place.
 */
const SENT_ALONG = 512

/** Placeholder for the end of the lease, which the space fills in. */
const UNTIMED = '0'.repeat(SESSION_RECORD.expiresAt.to)

/** Index of the owner in the first line. */
const OWNER_AT = SESSION_RECORD.owner.from - 1

export const encoded = (text: string): string => (PLAIN.test(text) ? text : encodeURIComponent(text))

/** Returns a time on the lease clock as a record has it, 13 digits; Infinity = never. */
export const timeText = (ms: number): string =>
  ms >= Number(SHARED.never) ? SHARED.never : String(Math.ceil(ms)).padStart(13, '0')

const unreadable = (cause?: unknown): SpaceError =>
  new SpaceError('INVALID_ENTRY', 'A stored session cannot be read.', { cause })

function decoded(text: string): string {
  try {
    return text.includes('%') ? decodeURIComponent(text) : text
  } catch (error) {
    throw unreadable(error)
  }
}

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
    records += line + text
    bytes += line.length + length
    size += code.length + length
  }
  for (const [name, text] of set) add(name, version, text, Buffer.byteLength(text))
  const changed = bytes
  const stays = isNew || !base ? [] : [...base.attributes].filter(([name]) => !isChanged(change, name))
  const sentAlong = !isNew && base && charactersOf(stays) <= Math.max(changed, SENT_ALONG)
  if (sentAlong) for (const [name, attribute] of stays) add(name, attribute.version, attribute.text, bytesOf(attribute))
  else size += sizeOf(stays)
  const own = encoded(owner ?? (isNew ? '' : (base?.owner ?? '')))
  const head = `${sizeAndVersion(size, version)} ${own}\n`
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
    head: sentAlong ? head : sizeAndVersion(size, version),
    rest: records,
  }
  return { change: encodedArgs, known }
}

const sizeAndVersion = (size: number, version: string): string => ` ${String(size).padStart(8, '0')} ${version}`

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
 * Returns the session that an entry holds. `now`: on the lease clock.
 * @throws SpaceError INVALID_ENTRY if the entry is malformed: other programs can write to Redis
 */
export function sessionIn(bytes: Buffer, now: number, lock: string): LoadedSession {
  // One character per byte. If all bytes are ASCII, texts are slices of this string.
  const all = bytes.toString('latin1')
  const isPlain = isAscii(bytes)
  const line = all.indexOf('\n')
  const head = all.slice(0, Math.max(line, 0))
  const attributes = new Map<string, Attribute>()
  for (let at = line + 1; at < all.length; ) {
    const first = all.indexOf('\t', at)
    const second = all.indexOf('\t', first + 1)
    const text = all.indexOf('\n', second + 1) + 1
    const length = Number(all.slice(second + 1, text - 1))
    const end = text + length
    if (first < at || second < first || !(end >= text && text > second && end <= all.length)) throw unreadable()
    attributes.set(decoded(all.slice(at, first)), {
      version: all.slice(first + 1, second),
      text: isPlain ? all.slice(text, end) : bytes.toString('utf8', text, end),
      bytes: length,
    })
    at = end
  }
  const ends = part(head, SESSION_RECORD.expiresAt)
  const remainingMs = ends === SHARED.never ? Number.POSITIVE_INFINITY : Number(ends) - now
  return {
    attributes,
    version: part(head, SESSION_RECORD.version),
    owner: decoded(head.slice(OWNER_AT)),
    remainingMs,
    lock,
  }
}

/** Session entries as this side writes and reads them; session-entry.lua draws the layout. */
import { isAscii } from 'node:buffer'
import type { Attribute, LoadedSession, SessionChange } from '../../engine/sessions.js'
import { SpaceError } from '../../errors.js'
import { SESSION_RECORD, SHARED } from './protocol.js'
import { part } from './record.js'
import type { Arguments } from './wire/operation.js'

/** Names that stand in a record as they are; others are percent-encoded. */
const PLAIN = /^[\w.-]+$/

/**
 * So much is sent beside what has changed, if all of it is sent: then nothing has to be taken apart. What is larger than this, and than
 * what has changed, stays where it is.
 */
const SENT_ALONG = 512

/** Where it says when the lease ends: the space fills that in. */
const UNTIMED = '0'.repeat(SESSION_RECORD.expiresAt.to)

/** Where the owner begins in the first line. */
const OWNER_AT = SESSION_RECORD.owner.from - 1

export const encoded = (text: string): string => (PLAIN.test(text) ? text : encodeURIComponent(text))

/** A time on the lease clock, as it stands in a record; Infinity: never. */
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

/** A change as the space is told of it. */
export interface Told {
  /** Arguments of `saveSession` beside id, lease and lock: right whatever may be there. */
  readonly change: Omit<Arguments<'saveSession'>, 'id' | 'leaseMs' | 'lock'>
  /** undefined: it does not stand on all that is there. */
  readonly known: KnownChange | undefined
}

/** What session-save.lua wants to hear, but for the times. */
export interface KnownChange {
  /** Size and version that it must have, as they stand in its first line. */
  readonly base: string
  readonly growth: number
  /** Whether what follows is all of it, or only its first line and what has changed. */
  readonly isWhole: boolean
  readonly head: string
  readonly rest: string
}

/** `version` has 16 characters. */
export function toldOf(change: SessionChange, version: string): Told {
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
  const told = {
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
  if (!isKnown || !(sentAlong || removed.length === 0)) return { change: told, known: undefined }
  const before = sizeOf(base.attributes)
  const known = {
    base: sizeAndVersion(before, base.version),
    growth: size - before,
    isWhole: sentAlong === true,
    head: sentAlong ? head : sizeAndVersion(size, version),
    rest: records,
  }
  return { change: told, known }
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
 * `now`: on the lease clock.
 * @throws SpaceError INVALID_ENTRY: anybody may have written it
 */
export function sessionIn(bytes: Buffer, now: number, lock: string): LoadedSession {
  // A character for each byte; where there is none beyond ASCII, texts are pieces of it.
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

/** Session entries as TypeScript writes and reads them; session-entry.lua draws the layout. */
import { isAscii } from 'node:buffer'
import type { Attribute, KnownSession, LoadedSession, SessionChange } from '../../engine/sessions.js'
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

/** Arguments of session-save.lua except the times. */
export interface KnownChange {
  /** Size and version that the entry must have, as its first line has them. */
  readonly base: string
  readonly growth: number
  /** true: the whole entry follows; false: the beginning of its first line and the changed attributes. */
  readonly isWhole: boolean
  readonly head: string
  readonly rest: string
}

/** Arguments of `saveSession` except id, lease and lock; valid whatever the space has stored. */
export type BatchedChange = Omit<Arguments<'saveSession'>, 'id' | 'leaseMs' | 'lock'>

/** Returns a renewal of a lease: a change that changes nothing. */
export const knownRenewal = (base: KnownSession): KnownChange => ({
  base: sizeAndVersion(sizeOf(base.attributes), base.version),
  growth: 0,
  isWhole: false,
  head: '',
  rest: '',
})

/** A change as it is stored. */
export class EncodedChange {
  readonly #change: SessionChange
  readonly #version: string
  /** True if the attributes that stay are sent along. */
  readonly #isWhole: boolean
  #records = ''
  readonly #changedLength: number
  #bytes = 0
  /** The size of all attributes as a first line has it, before and after. */
  #before = 0
  #size = 0

  /** `version` has 16 characters. */
  constructor(change: SessionChange, version: string) {
    this.#change = change
    this.#version = version
    const { isNew, set, base } = change
    for (const [name, text] of set) this.#add(name, version, text, Buffer.byteLength(text), undefined)
    this.#changedLength = this.#bytes
    this.#isWhole = !isNew && base !== undefined && this.#addRest(base, new Set(this.#names()))
  }

  get known(): KnownChange | undefined {
    const { isNew, removed, base, owner, maxBytes, lock } = this.#change
    if (isNew || !base || owner !== undefined || lock !== '' || this.#size > maxBytes) return undefined
    if (!this.#isWhole && removed.length > 0) return undefined
    const head = this.#head()
    return {
      base: sizeAndVersion(this.#before, base.version),
      growth: this.#size - this.#before,
      isWhole: this.#isWhole,
      head: this.#isWhole ? head : head.slice(0, OWNER_AT - UNTIMED.length),
      rest: this.#records,
    }
  }

  /** @param versions the versions that the changed attributes must have, if any */
  batched(versions = this.#change.versions): BatchedChange {
    const { isNew, removed, base, owner, maxBytes } = this.#change
    const head = this.#head()
    return {
      maxBytes: String(maxBytes),
      base: isNew ? '+' : this.#isWhole ? base!.version : '',
      headLength: String(UNTIMED.length + head.length),
      changedLength: String(this.#changedLength),
      removed: removed.map((name) => `${encoded(name)}\n`).join(''),
      expected: versions ? mustHave([...this.#names()], versions) : '',
      owner: owner === undefined && !isNew ? 'u' : '',
      contents: UNTIMED + head + this.#records,
    }
  }

  *#names(): Generator<string> {
    for (const [name] of this.#change.set) yield name
    yield* this.#change.removed
  }

  /** Adds the attributes that stay, unless they are too many. Returns whether they were added. */
  #addRest({ attributes }: KnownSession, changed: ReadonlySet<string>): boolean {
    const stays: [string, Attribute][] = []
    let characters = 0
    for (const [name, attribute] of attributes) {
      const size = encoded(name).length + bytesOf(attribute)
      this.#before += size
      if (changed.has(name)) continue
      characters += attribute.text.length
      stays.push([name, attribute])
    }
    if (characters > Math.max(this.#changedLength, SENT_ALONG)) {
      this.#size += sizeOf(stays)
      return false
    }
    for (const [name, attribute] of stays) {
      this.#add(name, attribute.version, attribute.text, bytesOf(attribute), attribute.stored)
    }
    return true
  }

  #add(name: string, version: string, text: string, length: number, stored: string | undefined): void {
    const code = encoded(name)
    this.#size += code.length + length
    let record = stored
    if (record === undefined) {
      const line = `${code}\t${version}\t${length}\n`
      record = `${checksumOf(line + text)}\t${line}${text}`
    }
    this.#records += record
    this.#bytes += record.length - text.length + length
  }

  #head(): string {
    const { isNew, base, owner } = this.#change
    const own = encoded(owner ?? (isNew ? '' : (base?.owner ?? '')))
    const sized = sizeAndVersion(this.#size, this.#version)
    return `${sized} ${sumOfHead(sized, own)} ${own}\n`
  }
}

const sizeAndVersion = (size: number, version: string): string => `${String(size).padStart(8, '0')} ${version}`

function sizeOf(attributes: Iterable<readonly [string, Attribute]>): number {
  let size = 0
  for (const [name, attribute] of attributes) size += encoded(name).length + bytesOf(attribute)
  return size
}

const bytesOf = ({ text, bytes }: Attribute): number => bytes ?? Buffer.byteLength(text)

const mustHave = (names: readonly string[], versions: ReadonlyMap<string, string>): string =>
  names.map((name) => `${encoded(name)} ${versions.get(name) || '-'}\n`).join('')

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
    attributes.set(read.name, read)
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
    stored: isPlain ? all.slice(at, end) : undefined,
    end,
  }
}

/** Session entries as this side writes and reads them; session-entry.lua draws the layout. */
import { SpaceError } from '../../errors.js'
import type { Attribute, LoadedSession, SessionChange } from '../../session/entries.js'

const NEVER = '9999999999999'
const NEWLINE = 10
const TAB = 9
/** Names that stand in a record as they are; others are percent-encoded. */
const PLAIN = /^[\w.-]+$/

/**
 * So much is sent beside what has changed, if all of it is sent: then nothing has to be taken apart. What is larger than this, and than
 * what has changed, stays where it is.
 */
const SENT_ALONG = 512

/** Where the owner begins in the first line. */
const OWNER_AT = 40

export const encoded = (text: string): string => (PLAIN.test(text) ? text : encodeURIComponent(text))

const unreadable = (cause?: unknown): SpaceError =>
  new SpaceError('INVALID_ENTRY', 'A stored session cannot be read.', { cause })

function decoded(text: string): string {
  try {
    return text.includes('%') ? decodeURIComponent(text) : text
  } catch (error) {
    throw unreadable(error)
  }
}

/** What a save says behind its id, lease and lock. `version` has 16 characters. */
export function changeArgs(
  { isNew, set, removed, versions, base, owner, maxBytes }: SessionChange,
  version: string,
): string[] {
  let records = ''
  let bytes = 0
  let size = 0
  const add = (name: string, own: string, text: string): void => {
    const length = Buffer.byteLength(text)
    const line = `${encoded(name)}\t${own}\t${length}\n`
    records += line + text
    bytes += line.length + length
    size += encoded(name).length + length
  }
  for (const [name, text] of set) add(name, version, text)
  const changed = bytes
  const rest = isNew ? undefined : restOf(base?.attributes, set, removed, Math.max(changed, SENT_ALONG))
  for (const [name, attribute] of rest ?? []) add(name, attribute.version, attribute.text)
  const on = isNew ? '+' : rest && base ? base.version : ''
  const own = owner ?? (isNew ? '' : (base?.owner ?? ''))
  // The space fills in when the lease ends.
  const line = `0000000000000 ${String(size).padStart(8, '0')} ${version} ${encoded(own)}\n`
  const gone = removed.map((name) => `${encoded(name)}\n`).join('')
  return [
    String(maxBytes),
    on,
    String(line.length),
    String(changed),
    gone,
    versions ? mustHave([...set.map(([name]) => name), ...removed], versions) : '',
    owner === undefined && !isNew ? 'u' : '',
    line + records,
  ]
}

const mustHave = (names: readonly string[], versions: ReadonlyMap<string, string>): string =>
  names.map((name) => `${encoded(name)} ${versions.get(name) || '-'}\n`).join('')

/** What has not changed, if it is no more than this. */
function restOf(
  all: ReadonlyMap<string, Attribute> | undefined,
  set: SessionChange['set'],
  removed: readonly string[],
  most: number,
): [string, Attribute][] | undefined {
  if (!all) return undefined
  const rest: [string, Attribute][] = []
  let size = 0
  for (const entry of all) {
    const [name, { text }] = entry
    if (removed.includes(name) || set.some(([changed]) => changed === name)) continue
    size += text.length
    if (size > most) return undefined
    rest.push(entry)
  }
  return rest
}

/**
 * `now`: on the lease clock.
 * @throws SpaceError INVALID_ENTRY: anybody may have written it
 */
export function sessionIn(bytes: Buffer, now: number, lock: string): LoadedSession {
  const line = bytes.indexOf(NEWLINE)
  const head = bytes.toString('latin1', 0, line)
  const attributes = new Map<string, Attribute>()
  for (let at = line + 1; at < bytes.length; ) {
    const first = bytes.indexOf(TAB, at)
    const second = bytes.indexOf(TAB, first + 1)
    const text = bytes.indexOf(NEWLINE, second + 1) + 1
    const end = text + Number(bytes.toString('latin1', second + 1, text - 1))
    if (first < at || second < first || !(end >= text && text > second && end <= bytes.length)) throw unreadable()
    const name = decoded(bytes.toString('latin1', at, first))
    attributes.set(name, {
      version: bytes.toString('latin1', first + 1, second),
      text: bytes.toString('utf8', text, end),
    })
    at = end
  }
  const ends = head.slice(0, 13)
  const remainingMs = ends === NEVER ? Number.POSITIVE_INFINITY : Number(ends) - now
  return { attributes, version: head.slice(23, 39), owner: decoded(head.slice(OWNER_AT)), remainingMs, lock }
}

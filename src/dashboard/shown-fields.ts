/** The fields of an entry as texts, so that no number loses digits and nothing is anything but text in a browser. */

/** A field as the page shows it. */
export interface ShownField {
  readonly name: string
  readonly type: 'text' | 'number' | 'boolean' | 'null' | 'bigint' | 'date' | 'bytes' | 'list' | 'object'
  /** The value; of bytes, lists and objects how much it is, unless the whole is asked for. */
  readonly text: string
  /** True if the text is not the whole value. */
  readonly isCut: boolean
}

const LONGEST_TEXT = 200
const LONGEST_WHOLE = 100_000

/** @param isWhole false: in short, for lists */
export const shownFields = (fields: object, isWhole: boolean): ShownField[] =>
  Object.entries(fields).map(([name, value]) => shownField(name, value, isWhole))

function shownField(name: string, value: unknown, isWhole: boolean): ShownField {
  const type = typeOf(value)
  const isLarge = type === 'bytes' || type === 'list' || type === 'object'
  if (isLarge && !isWhole) return { name, type, text: sizeOf(value), isCut: true }
  const text = typeof value === 'object' && value !== null ? JSON.stringify(plain(value), null, 2) : String(value)
  const shown = type === 'date' ? (value as Date).toISOString() : type === 'bytes' ? hexOf(value as Uint8Array) : text
  const most = isWhole ? LONGEST_WHOLE : LONGEST_TEXT
  return { name, type, text: shown.slice(0, most).toWellFormed(), isCut: shown.length > most }
}

function typeOf(value: unknown): ShownField['type'] {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'list'
  if (value instanceof Date) return 'date'
  if (value instanceof Uint8Array) return 'bytes'
  if (typeof value === 'string') return 'text'
  return typeof value as 'number' | 'boolean' | 'bigint' | 'object'
}

const sizeOf = (value: unknown): string =>
  value instanceof Uint8Array
    ? `${value.length} bytes`
    : Array.isArray(value)
      ? `${value.length} values`
      : `${Object.keys(value as object).length} names`

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** Returns a value without those that JSON lacks. */
function plain(value: unknown): unknown {
  const type = typeOf(value)
  if (type === 'bigint') return `${value}n`
  if (type === 'date') return (value as Date).toISOString()
  if (type === 'bytes') return `${(value as Uint8Array).length} bytes`
  if (type === 'list') return (value as unknown[]).map(plain)
  if (type !== 'object') return value
  return Object.fromEntries(Object.entries(value as object).map(([name, each]) => [name, plain(each)]))
}

/** Tokens: one short canonical string per field value, so that matching is equality of strings wherever it happens. */
import { digest } from '../runtime/digest.js'
import { BIGINT, DATE, type Packed } from './codec.js'

/** A longer token would cost more in every index than the hash that stands for it. */
const LONGEST_PLAIN = 40

// `|` ends a token in a record, `%` begins an escape; control characters would make records unreadable.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const SPECIAL = /[%|\u0000-\u001f\u007f]/g

const hex = (c: string): string => `%${c.charCodeAt(0).toString(16).padStart(2, '0')}`

const escaped = (text: string): string => text.replace(SPECIAL, hex)

// What separates the names of fields and kinds from each other wherever they stand together.
const SEPARATORS = /[=@,*:; ]/g

/** A field's name inside a record or a key. */
export const fieldName = (name: string): string =>
  name.length > LONGEST_PLAIN ? `%h${digest(name)}` : escaped(name).replace(SEPARATORS, hex)

/** Fields that are indexed together: their names inside a record or a key. A single field's name has no `;`. */
export const compoundName = (names: readonly string[]): string => names.map(fieldName).join(';')

/** One token for the values of several fields, given their tokens. */
export const compoundToken = (names: readonly string[], tokens: readonly string[]): string =>
  `${compoundName(names)}=#${digest(tokens.join('|'))}`

/** A kind's name inside a record or a key. */
export const kindName = (name: string): string => escaped(name).replace(SEPARATORS, hex)

/** The kind that a name in a record stands for. */
export const kindNamed = (name: string): string =>
  name.includes('%')
    ? name.replace(/%([0-9a-f]{2})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
    : name

const short = (type: string, text: string): string => {
  const plain = escaped(text)
  return plain.length > LONGEST_PLAIN ? `${type}#${digest(text)}` : `${type}:${plain}`
}

/** Equal values have equal tokens (SameValueZero on canonical values; 0 has no sign in text), different values different ones. It wants them packed (codec.ts). */
export function tokenOf(value: Packed): string {
  switch (typeof value) {
    case 'string':
      return short('s', value)
    case 'number':
      return `n:${value}`
    case 'boolean':
      return value ? 'b:1' : 'b:0'
    default:
      if (value === null) return 'z'
      if (Array.isArray(value)) return short('o', canonical(value))
      if (typeof value[DATE] === 'number') return `d:${value[DATE]}`
      return typeof value[BIGINT] === 'string' ? short('i', value[BIGINT]) : short('o', canonical(value))
  }
}

/** Whether an index over this value is worth having when nobody chose: single values yes, structures no. */
export const isScalar = (value: Packed): boolean =>
  value === null || typeof value !== 'object' || DATE in value || BIGINT in value

/** JSON with sorted names; packed, no two values that differ are the same JSON. */
function canonical(value: Packed): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  const names = Object.keys(value).sort()
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name]!)}`).join(',')}}`
}

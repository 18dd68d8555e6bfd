/** Tokens: one short canonical string per field value. Matching is equality of strings everywhere. */
import { digest } from '../runtime/digest.js'
import { BIGINT, DATE, type Packed } from './codec.js'

/** Longer tokens are replaced by a hash, which costs less in every index. */
const LONGEST_PLAIN = 40

// `|` ends a token in a record, `%` begins an escape; control characters would make records unreadable.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const SPECIAL = /[%|\u0000-\u001f\u007f]/g

const hex = (c: string): string => `%${c.charCodeAt(0).toString(16).padStart(2, '0')}`

const escaped = (text: string): string => text.replace(SPECIAL, hex)

// Separators between names of fields and kinds in records and keys.
const SEPARATORS = /[=@,*:; ]/g

/** A field's name inside a record or a key. */
export const fieldName = (name: string): string =>
  name.length > LONGEST_PLAIN ? `%h${digest(name)}` : escaped(name).replace(SEPARATORS, hex)

/** Returns the name of a compound index in a record or key. Names of single fields have no `;`. */
export const compoundName = (names: readonly string[]): string => names.map(fieldName).join(';')

/** Returns one token for the values of several fields, given their tokens. */
export const compoundToken = (names: readonly string[], tokens: readonly string[]): string =>
  `${compoundName(names)}=#${digest(tokens.join('|'))}`

/** A kind's name inside a record or a key. */
export const kindName = (name: string): string => escaped(name).replace(SEPARATORS, hex)

/** Returns the kind's name, given its name in a record. */
export const kindNamed = (name: string): string =>
  name.includes('%')
    ? name.replace(/%([0-9a-f]{2})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
    : name

const short = (type: string, text: string): string => {
  const plain = escaped(text)
  return plain.length > LONGEST_PLAIN ? `${type}#${digest(text)}` : `${type}:${plain}`
}

/**
 * Returns the token of a packed value (codec.ts). Equal values have equal tokens, different values different ones
 * (SameValueZero on canonical values; 0 has no sign).
 */
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

/** Returns whether a field is indexed by default: single values are, structures are not. */
export const isScalar = (value: Packed): boolean =>
  value === null || typeof value !== 'object' || DATE in value || BIGINT in value

/** Returns JSON with sorted names; different packed values have different texts. */
function canonical(value: Packed): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  const names = Object.keys(value).sort()
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name]!)}`).join(',')}}`
}

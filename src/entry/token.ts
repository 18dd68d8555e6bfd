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

/** Returns the text that a token or a name in a record stands for. */
export const unescaped = (text: string): string =>
  text.includes('%')
    ? text.replace(/%([0-9a-f]{2})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
    : text

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
export const kindNamed = (name: string): string => unescaped(name)

/** The token of an indexed field that an entry does not have. */
export const ABSENT = '~'

/** Returns the name, in the index of a kind, under which the absence of a field is indexed. */
export const absenceName = (name: string): string => `${fieldName(name)}@`

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

/**
 * Returns a value that a condition compares: its token, but never a hash. It has an order, and is short (order.ts).
 */
export function operandOf(value: Packed): string {
  if (typeof value === 'string') return `s:${escaped(value)}`
  return typeof value === 'object' && value !== null && BIGINT in value ? `i:${String(value[BIGINT])}` : tokenOf(value)
}

/** Returns the name, in the index of a kind, under which the order of the values of a field is kept. */
export const orderName = (name: string): string => `${fieldName(name)},`

/** Returns whether values of this type have an order. */
export const hasOrder = (value: Packed | undefined): boolean =>
  typeof value === 'number' ||
  typeof value === 'string' ||
  (typeof value === 'object' && value !== null && (DATE in value || BIGINT in value))

/** How much of a value whose token is a hash stays readable: one character more than a condition compares (order.ts). */
const BEGINNING = 65
const DIGITS = 41

/**
 * Returns the beginning of a value, if its token is a hash and the value has an order: with it, conditions compare the
 * value as if they had all of it. Of a text the first characters, of a bigint the first digits, `e`, and how many
 * digits there are; undefined for others.
 */
export function beginningOf(value: Packed, token: string): string | undefined {
  if (token[1] !== '#') return undefined
  if (typeof value === 'string') return escaped([...value.slice(0, 2 * BEGINNING)].slice(0, BEGINNING).join(''))
  if (value === null || typeof value !== 'object' || !(BIGINT in value)) return undefined
  const text = String(value[BIGINT])
  return `${text.slice(0, DIGITS)}e${text.replace('-', '').length}`
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

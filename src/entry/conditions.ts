/**
 * Conditions of templates: gt, gte, lt, lte, between, oneOf, startsWith, absent, present, not. Named as in Drizzle. A
 * condition is checked and packed when it is made.
 */
import { types } from 'node:util'
import type { Operator } from '../engine.js'
import { SpaceError } from '../errors.js'
import { type Packed, packFields } from './codec.js'
import { type Comparable, Condition, type Wide } from './condition.js'
import { compareTokens, LONGEST_INTEGER, LONGEST_TEXT } from './order.js'
import { operandOf } from './token.js'

/** Each value of a condition is searched by its own index. */
const MOST_OPERANDS = 100

/**
 * The field is greater than a value of the same type. Numbers and dates compare by value, bigints too, texts by their
 * code points. A field of another type, or an absent one, does not match.
 * @throws SpaceError INVALID_ARGUMENT for NaN and other values without an order, a text of more than 64 characters, a
 *   bigint of more than 39 digits
 * @example await space.take(Job.template({ tries: gt(3) }))
 */
export function gt<T extends Comparable>(value: T): Condition<never, Wide<T>, Wide<T>> {
  return comparison('gt', value)
}

/** The field is at least a value of the same type; as `gt`. */
export function gte<T extends Comparable>(value: T): Condition<never, Wide<T>, Wide<T>> {
  return comparison('gte', value)
}

/** The field is less than a value of the same type; as `gt`. */
export function lt<T extends Comparable>(value: T): Condition<never, Wide<T>, Wide<T>> {
  return comparison('lt', value)
}

/**
 * The field is at most a value of the same type; as `gt`.
 * @example await space.take(Job.template({ due: lte(now) }))
 */
export function lte<T extends Comparable>(value: T): Condition<never, Wide<T>, Wide<T>> {
  return comparison('lte', value)
}

/**
 * The field is at least `from` and at most `to`; as `gt`.
 * @throws SpaceError INVALID_ARGUMENT as `gt`; also if the values are of two types, or `to` comes before `from`
 * @example await space.take(Job.template({ size: between(10, 20) }))
 */
export function between<T extends Comparable>(from: T, to: Wide<T>): Condition<never, Wide<T>, Wide<T>> {
  const operands = [comparable('between', from), comparable('between', to)] as const
  if (typeOf(from) !== typeOf(to))
    refuse(`between wants two values of one type, not ${typeOf(from)} and ${typeOf(to)}.`)
  if (compareTokens(operandOf(operands[0]), operandOf(operands[1]))! > 0) {
    refuse('between wants the smaller value first: nothing is between these.')
  }
  return new Condition('between', operands)
}

/**
 * The field is equal to one of the values.
 * @throws SpaceError INVALID_ARGUMENT without values, for more than 100, and for a list alone; INVALID_ENTRY for a value
 *   that no entry can hold
 * @example await space.take(Job.template({ type: oneOf('resize', 'report') }))
 */
export function oneOf<const T>(...values: readonly T[]): Condition<T, never, T> {
  if (values.length === 0) refuse('oneOf wants at least one value.')
  if (values.length > MOST_OPERANDS) refuse(`oneOf wants at most ${MOST_OPERANDS} values, not ${values.length}.`)
  // A field may be a list, but for one list no oneOf is needed.
  if (values.length === 1 && Array.isArray(values[0])) refuse('oneOf wants values, not a list: oneOf(...values).')
  return new Condition(
    'oneOf',
    values.map((value) => packed('oneOf', value)),
  )
}

/**
 * The field is a text that begins with this one.
 * @throws SpaceError INVALID_ARGUMENT for anything but a text of at most 64 characters
 * @example await space.take(File.template({ path: startsWith('/reports/') }))
 */
export function startsWith(text: string): Condition<never, string, string> {
  if (typeof text !== 'string') refuse(`startsWith wants a text, not ${typeOf(text)}.`)
  return comparison('startsWith', text)
}

/** The entry has no such field. `null` is a value: a field that is null is present. */
export function absent(): Condition<never, never, undefined> {
  return new Condition('present', [], true)
}

/** The entry has such a field, whatever its value. */
// biome-ignore lint/complexity/noBannedTypes: every value but undefined
export function present(): Condition<never, never, {} | null> {
  return new Condition('present', [])
}

/**
 * The field does not match a condition, or is not equal to a value. An entry without the field matches `not(…)` of all
 * but `absent()`.
 * @throws SpaceError INVALID_ARGUMENT for undefined; INVALID_ENTRY for a value that no entry can hold
 * @example await space.take(Job.template({ owner: not('me') }))
 */
export function not<V, W>(condition: Condition<V, W>): Condition<V, W>
export function not<const T>(value: T): Condition<T, never>
export function not(asked: unknown): Condition {
  if (!(asked instanceof Condition)) return new Condition('oneOf', [packed('not', asked)], true)
  return new Condition(asked.operator, asked.operands, !asked.isNegated)
}

const comparison = <T>(operator: Operator, value: unknown): Condition<never, T, T> =>
  new Condition(operator, [comparable(operator, value)])

const typeOf = (value: unknown): string => {
  if (value === null) return 'null'
  return types.isDate(value) ? 'Date' : typeof value
}

function refuse(message: string): never {
  throw new SpaceError('INVALID_ARGUMENT', message)
}

/** @throws SpaceError INVALID_ENTRY that names the condition */
function packed(what: string, value: unknown): Packed {
  if (value === undefined) refuse(`${what} wants a value, not undefined: present() and absent() ask for that.`)
  if (value instanceof Condition) refuse(`${what} wants values, not a condition.`)
  return packFields({ [what]: value })[what]!
}

/** Returns a packed value that has an order, and is short enough to be compared. */
function comparable(what: string, value: unknown): Packed {
  const isNumber = typeof value === 'number' || types.isDate(value)
  if (isNumber && !Number.isFinite(value.valueOf())) refuse(`${what} wants a finite number or a valid Date.`)
  if (!isNumber && typeof value !== 'bigint' && typeof value !== 'string') {
    refuse(`${what} wants a number, a Date, a bigint or a text, not ${typeOf(value)}.`)
  }
  if (typeof value === 'string' && [...value.slice(0, 2 * LONGEST_TEXT + 2)].length > LONGEST_TEXT) {
    refuse(`${what} compares at most ${LONGEST_TEXT} characters: cut the text, which has ${value.length}.`)
  }
  if (typeof value === 'bigint' && String(value).replace('-', '').length > LONGEST_INTEGER) {
    refuse(`${what} wants a bigint of at most ${LONGEST_INTEGER} digits.`)
  }
  return packed(what, value)
}

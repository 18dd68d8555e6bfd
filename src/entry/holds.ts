/** Checks of a condition for an entry, by the tokens of the entry alone: lua/condition.lua has the same rules. */
import type { EncodedCondition, EncodedEntry } from '../engine.js'
import { compareTokens, integerIn } from './order.js'
import { ABSENT, unescaped } from './token.js'

/** The tokens of an entry. */
type Tokens = Pick<EncodedEntry, 'indexed' | 'verified'>

export function holds(condition: EncodedCondition, entry: Tokens): boolean {
  return isMet(condition, entry) !== condition.isNegated
}

function isMet({ field, operator, operands }: EncodedCondition, entry: Tokens): boolean {
  const token = itemOf(entry, `${field}=`)
  if (token === undefined || token === ABSENT) return false
  if (operator === 'present') return true
  if (operator === 'oneOf') return operands.includes(token)
  const value = comparableOf(field, token, entry)
  if (operator === 'startsWith') return value.startsWith('s:') && unescaped(value).startsWith(unescaped(operands[0]!))
  const order = operands.map((operand) => compareTokens(value, operand))
  if (order.includes(undefined)) return false
  const [first, second] = order as [number, number]
  switch (operator) {
    case 'gt':
      return first > 0
    case 'gte':
      return first >= 0
    case 'lt':
      return first < 0
    case 'lte':
      return first <= 0
    case 'between':
      return first >= 0 && second <= 0
  }
}

/** Returns the value of a field as conditions compare it; '' if there is none. */
export function valueIn(entry: Tokens, field: string): string {
  const token = itemOf(entry, `${field}=`)
  return token === undefined ? '' : comparableOf(field, token, entry)
}

/** Bytes of a text that are its key. */
const KEY_BYTES = 6

/**
 * Returns a number by which a value stands among those of its type as compareValues orders them, or beside them; undefined
 * if values of the type have no order.
 */
export function keyOfValue(value: string): number | undefined {
  const text = value.slice(2)
  switch (value.slice(0, 2)) {
    case 'n:':
    case 'd:':
      return Number.isNaN(Number(text)) ? undefined : Number(text)
    case 'i:':
      return Number(integerIn(text))
    case 's:': {
      const key = Buffer.alloc(KEY_BYTES)
      // The character behind them may be half of one.
      Buffer.from(unescaped(text).slice(0, KEY_BYTES + 1)).copy(key)
      return key.readUIntBE(0, KEY_BYTES)
    }
    default:
      return undefined
  }
}

/** Compares the values of a field: those of one type by their order, and types with each other. */
export const compareValues = (a: string, b: string): number =>
  a[0] === b[0] ? (compareTokens(a, b) ?? 0) : (a[0] ?? '') < (b[0] ?? '') ? -1 : 1

/** Returns whether a value comes before all for which a comparison holds. */
export function isBelow({ operator, operands }: EncodedCondition, value: string): boolean {
  const order = compareValues(value, operands[0]!)
  if (value[0] !== operands[0]![0]) return order < 0
  if (operator === 'gt') return order <= 0
  return operator !== 'lt' && operator !== 'lte' && order < 0
}

/** Returns a value as conditions compare it: the beginning of one whose token is a hash. */
function comparableOf(field: string, token: string, entry: Tokens): string {
  const beginning = token[1] === '#' ? itemOf(entry, `${field}:`) : undefined
  return beginning === undefined ? token : `${token[0]}:${beginning}`
}

/** Returns what follows a name among the tokens of an entry. */
function itemOf({ indexed, verified }: Tokens, name: string): string | undefined {
  const item = indexed.find((each) => each.startsWith(name)) ?? verified.find((each) => each.startsWith(name))
  return item?.slice(name.length)
}

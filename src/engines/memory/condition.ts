/** Checks of a condition for an entry, by the tokens of the entry alone: lua/condition.lua has the same rules. */
import type { EncodedCondition, EncodedEntry } from '../../engine.js'
import { compareTokens } from '../../entry/order.js'
import { ABSENT, unescaped } from '../../entry/token.js'

export function holds(condition: EncodedCondition, entry: EncodedEntry): boolean {
  return isMet(condition, entry) !== condition.isNegated
}

function isMet({ field, operator, operands }: EncodedCondition, entry: EncodedEntry): boolean {
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
export function valueIn(entry: EncodedEntry, field: string): string {
  const token = itemOf(entry, `${field}=`)
  return token === undefined ? '' : comparableOf(field, token, entry)
}

/** Returns a value as conditions compare it: the beginning of one whose token is a hash. */
function comparableOf(field: string, token: string, entry: EncodedEntry): string {
  const beginning = token[1] === '#' ? itemOf(entry, `${field}:`) : undefined
  return beginning === undefined ? token : `${token[0]}:${beginning}`
}

/** Returns what follows a name among the tokens of an entry. */
function itemOf({ indexed, verified }: EncodedEntry, name: string): string | undefined {
  const item = indexed.find((each) => each.startsWith(name)) ?? verified.find((each) => each.startsWith(name))
  return item?.slice(name.length)
}

/**
 * The order of values that conditions compare, by their tokens: numbers and dates by value, bigints too, texts by their
 * code points, which is the order of their bytes in UTF-8. Values of two types have no order. lua/condition.lua has the
 * same rules.
 */
import { unescaped } from './token.js'

/** Characters of a text that conditions compare. A record keeps one more of a text that it holds as a hash. */
export const LONGEST_TEXT = 64

/** Digits of a bigint that conditions compare: each one that a record holds as a hash has more. */
export const LONGEST_INTEGER = 39

/**
 * Returns a number below 0 if the first value comes before the second, 0 if they are equal, above 0 if it comes after;
 * undefined if they are of two types, of a type without an order, or a hash.
 */
export function compareTokens(a: string, b: string): number | undefined {
  const type = a.slice(0, 2)
  if (b.slice(0, 2) !== type) return undefined
  const [first, second] = [a.slice(2), b.slice(2)]
  switch (type) {
    case 'n:':
    case 'd:':
      return Number(first) - Number(second)
    case 'i:':
      return compareIntegers(BigInt(integerIn(first)), BigInt(integerIn(second)))
    case 's:':
      return Buffer.compare(Buffer.from(unescaped(first)), Buffer.from(unescaped(second)))
    default:
      return undefined
  }
}

const compareIntegers = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0)

/** Returns the digits of a bigint. Behind the beginning of a long one, `e` and the number of digits follow. */
export function integerIn(text: string): string {
  const [digits, length] = text.split('e') as [string, string?]
  return length === undefined ? digits : digits.padEnd(Number(length) + (digits.startsWith('-') ? 1 : 0), '0')
}

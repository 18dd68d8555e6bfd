/** Decimal numbers in bytes that may be foreign. */

const ZERO = 48
/** Longer numbers are not exact. */
const LONGEST = 15

/** Returns the number that the bytes from `from` to `to` write in decimal digits; NaN if they are anything else. */
export function decimalIn(bytes: Buffer, from: number, to: number): number {
  if (from >= to || to > bytes.length || to - from > LONGEST) return Number.NaN
  let number = 0
  for (let i = from; i < to; i++) {
    const digit = bytes[i]! - ZERO
    if (digit < 0 || digit > 9) return Number.NaN
    number = number * 10 + digit
  }
  return number
}

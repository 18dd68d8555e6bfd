/**
 * Finds where the strings and lines of a RESP3 connection end, from the pieces in which the bytes arrive. It decodes
 * nothing. The items of an array or map count as values of their own: a push is never among them.
 */

const CR = 13
const ZERO = 48
const MINUS = 45
const letters = (of: string): ReadonlySet<number> => new Set(Buffer.from(of))
const LINES = letters('+-:_#,(*~>%')
const STRINGS = letters('$=!')

export class ReplyScanner {
  /** The first byte of a value whose first line has not ended; 0 if there is none. */
  #type = 0
  /** The length in the first line of a string. */
  #length = 0
  #isNull = false
  /** Bytes of the value that have not arrived: its string, and ends of lines. */
  #left = 0
  #isLost = false

  /** Whether the next byte begins a value. False for good once a byte was not RESP3. */
  get isBetween(): boolean {
    return this.#type === 0 && this.#left === 0 && !this.#isLost
  }

  /** Returns where the value ends that begins or goes on at `at`; `bytes.length` if that is further on or unknown. */
  scan(bytes: Buffer, at: number): number {
    const { length } = bytes
    while (at < length && !this.#isLost) {
      if (this.#left > 0) {
        const next = Math.min(at + this.#left, length)
        this.#left -= next - at
        if (this.#left === 0) return next
        at = next
      } else if (this.#type === 0) {
        this.#type = bytes[at++]!
        this.#length = 0
        this.#isNull = false
        this.#isLost = !LINES.has(this.#type) && !STRINGS.has(this.#type)
      } else if (STRINGS.has(this.#type)) {
        this.#lengthIn(bytes[at++]!)
      } else {
        const end = bytes.indexOf(CR, at)
        if (end < 0) return length
        this.#type = 0
        this.#left = 1
        at = end + 1
      }
    }
    return length
  }

  #lengthIn(byte: number): void {
    const digit = byte - ZERO
    if (byte === CR) {
      this.#type = 0
      // A LF, and a string with its end of line.
      this.#left = this.#isNull ? 1 : 1 + this.#length + 2
    } else if (byte === MINUS) this.#isNull = true
    else if (digit >= 0 && digit <= 9) this.#length = this.#length * 10 + digit
    else this.#isLost = true
  }
}

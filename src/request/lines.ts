/**
 * Lines: the encoding of the heads of messages, readable in redis-cli. The first line has a letter, the length of the
 * others in bytes, and further numbers, separated by spaces. Each of the others has one value, without CR, LF and NUL:
 * they would begin another line here, or another field in HTTP (RFC 9110 §5.5).
 */
const LF = 10
const SPACE = 32
const ZERO = 48
/** Maximum length of the first line, in bytes. */
const LONGEST_FIRST = 80
const NOTHING: Buffer = Buffer.alloc(0)

/**
 * Returns each value as a line. If a value has a CR, LF or NUL, the reader refuses the head: a CR or NUL is in no line,
 * and a LF makes more lines than the numbers say.
 */
export function linesOf(values: readonly string[]): string {
  let lines = ''
  for (const value of values) lines += `${value}\n`
  return lines
}

/** Returns lines behind their first line, and a body behind them. `numbers` has a space before each number. */
export function encodeLines(letter: string, numbers: string, lines: string, body: Buffer = NOTHING): Buffer {
  const length = Buffer.byteLength(lines)
  const first = `${letter}${length}${numbers}\n`
  const at = first.length + length
  const bytes = Buffer.allocUnsafe(at + body.length)
  // ASCII is written faster as Latin-1.
  bytes.write(first + lines, 0, length === lines.length ? 'latin1' : 'utf8')
  if (body.length > 0) bytes.set(body, at)
  return bytes
}

/** Reads lines one by one. The constructor and each method throw a TypeError if the lines are malformed. */
export class LineReader {
  /** The numbers of the first line: the length, then the others; -1 for one without digits. */
  readonly numbers: number[] = []
  /** The bytes behind the lines. */
  readonly body: Buffer
  readonly #text: string
  #at = 0

  constructor(letter: string, bytes: Buffer) {
    const from = readFirst(bytes, this.numbers)
    const end = from + this.numbers[0]!
    if (from === 0 || bytes[0] !== letter.charCodeAt(0) || end > bytes.length) throw malformed()
    this.#text = bytes.toString('utf8', from, end)
    if (hasControls(this.#text)) throw malformed()
    this.body = end < bytes.length ? bytes.subarray(end) : NOTHING
  }

  /** Returns the value of the next line. */
  next(): string {
    const end = this.#text.indexOf('\n', this.#at)
    if (end < 0) throw malformed()
    const value = this.#text.slice(this.#at, end)
    this.#at = end + 1
    return value
  }

  /** Returns the values of `count` lines: name, value, name, value … Throws if `count` is missing or odd. */
  fields(count = -1): string[] {
    if (count < 0 || count % 2 !== 0) throw malformed()
    const values: string[] = []
    for (let i = 0; i < count; i++) values.push(this.next())
    return values
  }

  /** Throws if there are further lines. */
  end(): void {
    if (this.#at !== this.#text.length) throw malformed()
  }
}

/** Returns the length of a head in bytes; undefined if its first line is incomplete. @throws TypeError if malformed */
export function lengthOfHead(bytes: Buffer): number | undefined {
  const numbers: number[] = []
  const from = readFirst(bytes, numbers)
  return from === 0 ? undefined : from + numbers[0]!
}

/** Appends the numbers of the first line. Returns where the other lines begin; 0 if the first line has no end yet. */
function readFirst(bytes: Buffer, numbers: number[]): number {
  const most = Math.min(bytes.length, LONGEST_FIRST)
  let number = -1
  for (let at = 1; at < most; at++) {
    const byte = bytes[at]!
    if (byte === SPACE || byte === LF) {
      numbers.push(number)
      number = -1
      if (numbers[0]! <= 0) throw malformed()
      if (byte === LF) return at + 1
    } else {
      const digit = byte - ZERO
      if (digit < 0 || digit > 9) throw malformed()
      number = Math.max(number, 0) * 10 + digit
    }
  }
  if (bytes.length >= LONGEST_FIRST) throw malformed()
  return 0
}

const hasControls = (text: string): boolean => text.includes('\r') || text.includes('\0')

const malformed = (): TypeError => new TypeError('not a takespace message')

/**
 * Separates the messages of a channel from all other bytes of a RESP3 connection. A message is passed on in the pieces
 * in which the bytes arrive: the client's decoder would join them, a copy of each large message. All else goes to that
 * decoder unchanged.
 */
import { ReplyScanner } from './reply-scanner.js'

const PUSH = '>'.charCodeAt(0)
const CR = 13
const ZERO = 48
/** No server takes a longer message from its publisher (`proto-max-bulk-len`); more digits are malformed. */
const LARGEST_MESSAGE = 512 << 20
const MOST_DIGITS = String(LARGEST_MESSAGE).length
const NOTHING: Buffer = Buffer.alloc(0)

export interface MessageDemuxTerms {
  readonly channel: string
  /** Called with each piece of a message, whose memory is then the receiver's; `isFirst` begins a message. */
  onPart(part: Buffer, isFirst: boolean): void
  /** Called with all other bytes. */
  pass(bytes: Buffer): void
}

export class MessageDemux {
  readonly #terms: MessageDemuxTerms
  readonly #prefix: Buffer
  readonly #scanner = new ReplyScanner()
  /** The beginning of what may be the head of a message. */
  #held = NOTHING
  /** Bytes of the message that have not arrived. */
  #left = 0
  /** Bytes of the end of line behind the message that have not arrived. */
  #end = 0
  #isFirst = false
  /** Where the message begins whose head was read last. */
  #begin = 0

  constructor(terms: MessageDemuxTerms) {
    this.#terms = terms
    const { channel } = terms
    this.#prefix = Buffer.from(`>3\r\n$8\r\nsmessage\r\n$${Buffer.byteLength(channel)}\r\n${channel}\r\n$`)
  }

  /** Reads a piece. @throws Error if a message is said to be larger than any; nothing more can be read then */
  read(piece: Buffer): void {
    const bytes = this.#held.length > 0 ? Buffer.concat([this.#held, piece]) : piece
    this.#held = NOTHING
    let from = 0
    let at = 0
    while (at < bytes.length) {
      if (this.#left > 0 || this.#end > 0) {
        from = at = this.#message(bytes, at)
        continue
      }
      const isHead = this.#scanner.isBetween ? this.#readHead(bytes, at) : false
      if (isHead !== false) {
        this.#pass(bytes, from, at)
        if (isHead === undefined) {
          this.#held = bytes.subarray(at)
          return
        }
        from = at = this.#begin
      } else {
        at = this.#scanner.scan(bytes, at)
      }
    }
    this.#pass(bytes, from, at)
  }

  #pass(bytes: Buffer, from: number, to: number): void {
    if (to > from) this.#terms.pass(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to))
  }

  /** Passes on what is there of the message. Returns where that ends. */
  #message(bytes: Buffer, at: number): number {
    const next = Math.min(at + this.#left, bytes.length)
    const end = Math.min(next + this.#end, bytes.length)
    this.#left -= next - at
    if (this.#left === 0) this.#end -= end - next
    if (next > at) {
      const isFirst = this.#isFirst
      this.#isFirst = false
      this.#terms.onPart(bytes.subarray(at, next), isFirst)
    }
    return end
  }

  /** Returns whether a message begins here; undefined if more bytes are needed to know. */
  #readHead(bytes: Buffer, at: number): boolean | undefined {
    if (bytes[at] !== PUSH) return false
    const prefix = this.#prefix
    const there = Math.min(prefix.length, bytes.length - at)
    if (bytes.compare(prefix, 0, there, at, at + there) !== 0) return false
    let length = 0
    for (let i = at + prefix.length, digits = 0; i < bytes.length; i++, digits++) {
      if (bytes[i] === CR && digits > 0) {
        if (i + 1 === bytes.length) return undefined
        this.#left = length
        this.#end = 2
        this.#isFirst = true
        this.#begin = i + 2
        return true
      }
      const digit = bytes[i]! - ZERO
      if (!(digit >= 0 && digit <= 9)) return false
      length = length * 10 + digit
      if (digits >= MOST_DIGITS || length > LARGEST_MESSAGE) {
        throw new Error(`A message to this process is said to have ${length} bytes or more.`)
      }
    }
    return undefined
  }
}

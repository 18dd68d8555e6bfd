/**
 * Reads the frames of a connection from its pieces. Bytes of a large frame are passed on as they arrive, each piece as a
 * frame of its own at its position: nothing is joined.
 */
import { decimalIn } from '../../../runtime/decimal.js'

const NEWLINE = 10
const TAB = 9
/** A name and two positions need less than a fifth of this. */
const LONGEST_HEADER = 1_024
/** Trailers and reasons; only bytes of bodies (`d`) are passed on in pieces. */
const LARGEST_WHOLE = 1_048_576
const NOTHING: Buffer = Buffer.alloc(0)

export type OnFrame = (letter: string, id: string, place: string, bytes: Buffer) => void

export class FramesIn {
  readonly #onFrame: OnFrame
  /** The beginning of a header, or of a frame that is passed on whole. */
  #held = NOTHING
  #letter = ''
  #id = ''
  #place = ''
  /** Bytes of the frame that have not arrived. */
  #left = 0

  constructor(onFrame: OnFrame) {
    this.#onFrame = onFrame
  }

  /** Reads a piece. Returns false if it is malformed: nothing more can be read then. */
  read(piece: Buffer): boolean {
    let bytes = piece
    if (this.#held.length > 0) {
      bytes = Buffer.concat([this.#held, piece])
      this.#held = NOTHING
    }
    let at = 0
    while (at < bytes.length) {
      if (this.#left === 0) {
        const end = bytes.indexOf(NEWLINE, at)
        if (end < 0) {
          this.#held = bytes.subarray(at)
          return this.#held.length <= LONGEST_HEADER
        }
        if (!this.#header(bytes, at, end)) return false
        at = end + 1
        if (this.#left > 0) continue
        this.#onFrame(this.#letter, this.#id, this.#place, NOTHING)
        continue
      }
      const next = Math.min(at + this.#left, bytes.length)
      if (this.#letter !== 'd' && next - at < this.#left) {
        // Read again, with the header, when more has arrived.
        this.#held = Buffer.concat([
          Buffer.from(`${this.#letter}${this.#id}\t${this.#place}\t${this.#left}\n`, 'latin1'),
          bytes.subarray(at),
        ])
        this.#left = 0
        return true
      }
      const part = bytes.subarray(at, next)
      const place = this.#place
      this.#left -= part.length
      at = next
      if (this.#left > 0) this.#place = String(Number(place) + part.length)
      this.#onFrame(this.#letter, this.#id, place, part)
    }
    return true
  }

  #header(bytes: Buffer, at: number, end: number): boolean {
    const first = bytes.indexOf(TAB, at)
    const second = first < 0 ? -1 : bytes.indexOf(TAB, first + 1)
    if (second < 0 || second > end || end - at > LONGEST_HEADER) return false
    this.#left = decimalIn(bytes, second + 1, end)
    if (!(this.#left >= 0)) return false
    this.#letter = bytes.toString('latin1', at, at + 1)
    this.#id = bytes.toString('latin1', at + 1, first)
    this.#place = bytes.toString('latin1', first + 1, second)
    return this.#letter === 'd' || this.#left <= LARGEST_WHOLE
  }
}

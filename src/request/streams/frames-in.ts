/**
 * Reads the frames of a direct connection or of a published message from its pieces. Bytes of bodies (`d`) are passed
 * on as they arrive: those of one stream that follow each other in a piece as one frame, at their position.
 */
import { decimalIn } from '../../runtime/decimal.js'

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
  /** Bytes of a body in the piece, to be passed on: their stream and position, and where they begin and end. */
  #runId = ''
  #runPlace = 0
  #runStart = 0
  #runEnd = 0

  constructor(onFrame: OnFrame) {
    this.#onFrame = onFrame
  }

  /** Reads a piece, whose memory is then the reader's. Returns false if it is malformed: no more can be read. */
  read(piece: Buffer): boolean {
    const bytes = this.#held.length > 0 ? Buffer.concat([this.#held, piece]) : piece
    this.#held = NOTHING
    this.#runStart = this.#runEnd = 0
    for (let at = 0; at < bytes.length; ) {
      if (this.#left === 0) {
        const end = bytes.indexOf(NEWLINE, at)
        if (end < 0) {
          this.#passOn(bytes)
          this.#held = bytes.subarray(at)
          return this.#held.length <= LONGEST_HEADER
        }
        if (!this.#header(bytes, at, end)) return false
        at = end + 1
        if (this.#left === 0) this.#whole(bytes, NOTHING)
        continue
      }
      const next = Math.min(at + this.#left, bytes.length)
      if (this.#letter === 'd') this.#data(bytes, at, next)
      else if (next - at === this.#left) this.#whole(bytes, bytes.subarray(at, next))
      else {
        // Read again, with the header, when more has arrived.
        this.#passOn(bytes)
        const header = `${this.#letter}${this.#id}\t${this.#place}\t${this.#left}\n`
        this.#held = Buffer.concat([Buffer.from(header, 'latin1'), bytes.subarray(at)])
        this.#left = 0
        return true
      }
      this.#left -= next - at
      at = next
    }
    this.#passOn(bytes)
    return true
  }

  #whole(bytes: Buffer, content: Buffer): void {
    this.#passOn(bytes)
    this.#tell(this.#letter, this.#id, this.#place, content)
  }

  /** Adds bytes of a body to those before them, over the header between the two, by moving the shorter part. */
  #data(bytes: Buffer, at: number, next: number): void {
    const before = this.#runEnd - this.#runStart
    const place = Number(this.#place)
    this.#place = String(place + next - at)
    if (before === 0 || this.#runId !== this.#id || this.#runPlace + before !== place) {
      this.#passOn(bytes)
      this.#runId = this.#id
      this.#runPlace = place
      this.#runStart = at
      this.#runEnd = next
    } else if (before < next - at) {
      bytes.copyWithin(at - before, this.#runStart, this.#runEnd)
      this.#runStart = at - before
      this.#runEnd = next
    } else {
      bytes.copyWithin(this.#runEnd, at, next)
      this.#runEnd += next - at
    }
  }

  #passOn(bytes: Buffer): void {
    const run = bytes.subarray(this.#runStart, this.#runEnd)
    this.#runStart = this.#runEnd
    if (run.length > 0) this.#tell('d', this.#runId, String(this.#runPlace), run)
  }

  /** An error of the listener is thrown in a turn of its own: it must not lose the frames behind. */
  #tell(letter: string, id: string, place: string, bytes: Buffer): void {
    try {
      this.#onFrame(letter, id, place, bytes)
    } catch (error) {
      process.nextTick(() => {
        throw error
      })
    }
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

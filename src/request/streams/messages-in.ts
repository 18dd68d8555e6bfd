/** Reads published messages from their pieces: the sender's name and a LF, then frames. */
import { FramesIn } from './frames-in.js'

const NEWLINE = 10
/** A process's name needs less than a tenth of this. */
const LONGEST_NAME = 256
const NOTHING: Buffer = Buffer.alloc(0)

export type OnMessageFrame = (from: string, letter: string, id: string, place: string, bytes: Buffer) => void

export class MessagesIn {
  readonly #onFrame: OnMessageFrame
  /** The beginning of a name. */
  #held = NOTHING
  /** The reader of the frames, once the name is known. */
  #frames: FramesIn | undefined
  #isMalformed = true

  constructor(onFrame: OnMessageFrame) {
    this.#onFrame = onFrame
  }

  /**
   * Reads a piece of a message, whose memory is then the reader's; `isFirst` begins a message. What follows a malformed
   * frame in a message is ignored.
   */
  read(piece: Buffer, isFirst: boolean): void {
    if (isFirst) {
      this.#held = NOTHING
      this.#frames = undefined
      this.#isMalformed = false
    }
    if (this.#isMalformed) return
    const rest = this.#frames ? piece : this.#afterName(piece)
    if (this.#frames) this.#isMalformed = !this.#frames.read(rest)
  }

  #afterName(piece: Buffer): Buffer {
    const bytes = this.#held.length > 0 ? Buffer.concat([this.#held, piece]) : piece
    const end = bytes.indexOf(NEWLINE)
    if (end < 0) {
      this.#held = bytes
      this.#isMalformed = bytes.length > LONGEST_NAME
      return NOTHING
    }
    const from = bytes.toString('latin1', 0, end)
    this.#frames = new FramesIn((letter, id, place, content) => this.#onFrame(from, letter, id, place, content))
    return bytes.subarray(end + 1)
  }
}

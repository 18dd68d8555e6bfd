/** WebSocket frames (RFC 6455 §5.2), as far as a gateway has to know them: frame boundaries and the close frame. */

/** A close frame with code 1012 (service restart). */
export const CLOSED_FOR_RESTART: Buffer = Buffer.of(0x88, 0x02, 0x03, 0xf4)

const CLOSE = 0x8
const MASKED = 0x80

export class FrameCounter {
  /** The bytes of an incomplete frame head. */
  #head: number[] = []
  /** Bytes of the frame's payload that are still to come. */
  #left = 0
  #closed = false

  /** True at a frame boundary. */
  get isBetween(): boolean {
    return this.#head.length === 0 && this.#left === 0
  }

  /** True once a close frame has passed. */
  get isClosed(): boolean {
    return this.#closed
  }

  count(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#left > 0) {
        const step = Math.min(this.#left, bytes.length - at)
        this.#left -= step
        at += step
      } else {
        this.#head.push(bytes[at++]!)
        this.#begin()
      }
    }
  }

  /** Reads the frame head once its bytes are complete. */
  #begin(): void {
    const head = this.#head
    if (head.length < 2) return
    const short = head[1]! & 0x7f
    const extended = short === 127 ? 8 : short === 126 ? 2 : 0
    if (head.length < 2 + extended) return
    const length = extended === 0 ? short : head.slice(2).reduce((sum, byte) => sum * 256 + byte, 0)
    if ((head[0]! & 0xf) === CLOSE) this.#closed = true
    this.#left = length + (head[1]! & MASKED ? 4 : 0)
    this.#head = []
  }
}

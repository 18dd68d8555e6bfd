/** WebSocket frames (RFC 6455 §5.2), as far as a gateway needs to know them: where one ends, and whether the connection has been closed. */

import type { IncomingMessage } from 'node:http'

/** Whether it asks for the one protocol that is known here. */
export const isWebSocket = (req: IncomingMessage): boolean => req.headers.upgrade?.toLowerCase() === 'websocket'

/** Close, two bytes: 1012, the service restarts. */
export const CLOSED_FOR_RESTART: Buffer = Buffer.of(0x88, 0x02, 0x03, 0xf4)

const CLOSE = 0x8
const MASKED = 0x80

export class FrameCounter {
  /** Of the frame that has begun, what has come of its head. */
  #head: number[] = []
  /** And how much of its payload is still to come. */
  #left = 0
  #closed = false

  /** Whether something may be said between two frames. */
  get isBetween(): boolean {
    return this.#head.length === 0 && this.#left === 0
  }

  /** Whether a close frame has gone by. */
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

  /** The head is complete when it says so itself. */
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

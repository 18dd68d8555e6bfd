/**
 * Overhead: the bytes of a session that carry neither requests nor bodies. node:http2 tells nobody of WINDOW_UPDATE,
 * PRIORITY, padding and frames of unknown types, nor limits their number; the connection counts their bytes.
 */
import type { Socket } from 'node:net'

/** How often sessions are looked at. */
export const LOOK_MS = 1_000
/** Overhead that a session may have at once, and from then on in each look. */
const MOST_BYTES = 1 << 20
const BYTES_PER_LOOK = 65_536
/** The head of a request and its trailers, each up to 16 KiB. */
const REQUEST_BYTES = 32_768
/** A byte of a body may have its own frame of 9 bytes, and a byte of a response one of 13 in return. */
const BYTES_PER_BODY_BYTE = 16

export class Overhead {
  readonly socket: Socket
  /** Requests begun. */
  requests = 0
  /** Bytes of bodies, received and written. */
  bodyBytes = 0
  #accountedBytes = 0
  #excess = 0

  /** `socket`: the connection of the session. */
  constructor(socket: Socket) {
    this.socket = socket
  }

  /** Returns whether the session has had more overhead than it may. Called in each look. */
  isTooMuch(): boolean {
    const explained = this.requests * REQUEST_BYTES + this.bodyBytes * BYTES_PER_BODY_BYTE
    const received = this.socket.bytesRead - this.#accountedBytes
    this.#accountedBytes = this.socket.bytesRead
    this.requests = 0
    this.bodyBytes = 0
    this.#excess = Math.max(this.#excess + received - explained - BYTES_PER_LOOK, 0)
    return this.#excess > MOST_BYTES
  }
}

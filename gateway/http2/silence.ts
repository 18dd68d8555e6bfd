/**
 * Silence: a session with open streams from which nothing arrives is asked by a PING (RFC 9113 §6.7), and ended if it
 * does not answer. node:http2 keeps a session that an error has ended while it had streams, and reads no more of it.
 */
import type { ServerHttp2Session } from 'node:http2'
import type { Socket } from 'node:net'

/** How long a session may be silent before it is asked. */
const SILENT_MS = 15_000
/** The time for the answer. */
const ANSWER_MS = 5_000

export class Silence {
  readonly #session: ServerHttp2Session
  readonly #socket: Socket
  #bytes = 0
  #since: number
  #streams = 0
  #asked: NodeJS.Timeout | undefined

  /** `socket`: the connection of the session. `now`: on the monotonic clock, as in look(). */
  constructor(session: ServerHttp2Session, socket: Socket, now: number) {
    this.#session = session
    this.#socket = socket
    this.#since = now
    session.on('stream', (stream) => {
      this.#streams++
      stream.once('close', () => this.#streams--)
    })
    session.once('close', () => clearTimeout(this.#asked))
  }

  /** Asks if nothing has arrived for SILENT_MS. Called in each look. */
  look(now: number): void {
    if (this.#socket.bytesRead !== this.#bytes || this.#streams === 0) {
      this.#bytes = this.#socket.bytesRead
      this.#since = now
    } else if (now - this.#since >= SILENT_MS) this.ask()
  }

  /** Sends a PING, and ends the session if there is no answer. */
  ask(): void {
    // node:http2 sends no PING on a session that is closing.
    if (this.#asked || this.#session.closed) return
    this.#asked = setTimeout(() => this.#session.destroy(), ANSWER_MS)
    this.#session.ping((error) => {
      if (error) return
      clearTimeout(this.#asked)
      this.#asked = undefined
    })
  }
}

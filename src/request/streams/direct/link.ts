/** DirectLink: a proven connection to another process, which carries the frames of all streams between the two. */
import type { Socket } from 'node:net'
import { monotonicMs } from '../../../clock.js'
import { FramesIn, type OnFrame } from '../frames-in.js'

/** Silence after which the other end is asked for a sign of life, while there are streams. */
const SILENT_MS = 2_000
/** Time for that sign; then the connection is given up: a network that drops all packets reports nothing. */
const LOST_MS = 3_000
/** A connection without streams is closed after this time. */
const IDLE_MS = 60_000
/** How long a close waits until the last frames are sent. */
const CLOSE_MS = 1_000
/**
 * Bytes that wait in a connection, at most: more than all streams of a process may have under way. Beyond it, the other
 * end sends what must be answered, and reads nothing.
 */
const MOST_UNSENT = 128 << 20
/** A shorter frame is joined with its header. */
const JOINED_BYTES = 8_192
const NOTHING = Buffer.alloc(0)

interface QueuedFrame {
  readonly letter: string
  readonly id: string
  readonly place: string
  /** Where bytes would follow. */
  end: number
  length: number
  readonly parts: Buffer[]
}

export interface LinkEvents {
  readonly onFrame: OnFrame
  onClosed(): void
}

export class DirectLink {
  readonly #socket: Socket
  readonly #frames: FramesIn
  #heardAt = monotonicMs()
  #askedAt = 0
  readonly #queue: QueuedFrame[] = []
  #isFlushing = false

  constructor(socket: Socket, { onFrame, onClosed }: LinkEvents) {
    this.#socket = socket
    this.#frames = new FramesIn((letter, id, place, bytes) => {
      if (letter === '?') this.send('!', '', '0', NOTHING)
      else if (letter !== '!') onFrame(letter, id, place, bytes)
    })
    socket.setNoDelay(true)
    socket.setTimeout(IDLE_MS, () => socket.destroy())
    socket.on('data', (bytes) => this.read(bytes)).on('error', () => {})
    socket.on('end', () => socket.destroy())
    socket.on('close', onClosed)
    socket.resume()
  }

  /** Reads what has arrived. */
  read(bytes: Buffer): void {
    this.#heardAt = monotonicMs()
    if (!this.#frames.read(bytes)) this.#socket.destroy()
  }

  /** Sends a frame. Bytes that follow those of the frame before are made part of that frame. */
  send(letter: string, id: string, place: string, bytes: Buffer): void {
    const last = this.#queue.at(-1)
    if (letter === 'd' && last?.letter === 'd' && last.id === id && last.end === Number(place)) {
      last.length += bytes.length
      last.end += bytes.length
      last.parts.push(bytes)
      return
    }
    this.#queue.push({ letter, id, place, end: Number(place) + bytes.length, length: bytes.length, parts: [bytes] })
    if (this.#isFlushing) return
    this.#isFlushing = true
    setImmediate(() => this.#flush())
  }

  /** From time to time, while there are streams. */
  look(): void {
    const now = monotonicMs()
    if (now - this.#heardAt < SILENT_MS) return
    const isAsked = this.#askedAt > this.#heardAt
    if (isAsked && now - this.#askedAt > LOST_MS) return void this.#socket.destroy()
    if (isAsked) return
    this.#askedAt = now
    this.send('?', '', '0', NOTHING)
  }

  /** Sends what was written, then closes. */
  close(): void {
    this.#flush()
    this.#socket.end()
    setTimeout(() => this.#socket.destroy(), CLOSE_MS).unref()
  }

  /** All frames of a turn of the event loop are one write. */
  #flush(): void {
    if (!this.#isFlushing) return
    this.#isFlushing = false
    const socket = this.#socket
    if (socket.writableLength > MOST_UNSENT) return void socket.destroy()
    socket.cork()
    for (const { letter, id, place, length, parts } of this.#queue) {
      const header = `${letter}${id}\t${place}\t${length}\n`
      // A part of a write costs more than the copy of a few bytes.
      if (length <= JOINED_BYTES) socket.write(Buffer.concat([Buffer.from(header, 'latin1'), ...parts]))
      else {
        socket.write(header, 'latin1')
        for (const part of parts) socket.write(part)
      }
    }
    this.#queue.length = 0
    socket.uncork()
  }
}

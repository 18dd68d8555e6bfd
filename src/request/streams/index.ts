/**
 * Streams: bytes between processes, in order and complete, with a bound on bytes in flight.
 *
 * The messages beneath are not stored (engine.ts, promise 10): any may be lost with a connection. So the two ends of a
 * stream retransmit, as in TCP. The writer (StreamWriter) numbers the bytes and keeps them until the reader
 * (StreamReader) has them; the reader grants how far the writer may go, and asks again for what it missed. A stream
 * leaves nothing in the space.
 *
 * | frame | from   | meaning                                                                 |
 * |-------|--------|-------------------------------------------------------------------------|
 * | `d`   | writer | these bytes begin at this position                                      |
 * | `e`   | writer | the stream ends at this position, with this trailer                     |
 * | `b`   | writer | the stream is incomplete; nothing more comes                            |
 * | `p`   | writer | where are you? (after a silence)                                        |
 * | `g`   | reader | all before this position has arrived; you may send up to that position  |
 * | `r`   | reader | the same, and send again from this position                             |
 * | `n`   | reader | cancelled                                                               |
 *
 * All frames from one process to another of one turn of the event loop are one message.
 */
import type { Engine } from '../../engine.js'
import { ByteBudget } from './byte-budget.js'
import { readFrames, writeFrame } from './frames.js'
import { StreamReader } from './reader.js'
import { StreamWriter } from './writer.js'

export type { StreamCallbacks, StreamReader } from './reader.js'
export type { StreamWriter } from './writer.js'

export interface StreamBounds {
  /** Maximum bytes in flight of one stream in one direction. Default 1 MiB. */
  readonly maxStreamBytes: number
  /**
   * Maximum bytes in flight of all streams that this process writes, and as many of those that it reads; beside that
   * each stream has 64 KiB of its own. Default 64 MiB.
   */
  readonly maxStreamingBytes: number
}

export const DEFAULT_STREAM_BOUNDS: StreamBounds = { maxStreamBytes: 1 << 20, maxStreamingBytes: 64 << 20 }

/**
 * Bytes on their way to this process, beyond the first window of each stream. Enough for a fast link, and so few that
 * other requests do not wait behind them: 2 MB are handled in about 10 ms. The server cuts a connection with 8 MB
 * unread for a minute.
 */
const MOST_GRANTED = 2_000_000
/** Approximate maximum size of a message. */
const LARGEST_MESSAGE = 65_536
/** How often silent streams are looked for. */
const LOOK_MS = 500

export class Streams {
  readonly #engine: Engine
  readonly #bounds: StreamBounds
  readonly #granted = new ByteBudget(MOST_GRANTED)
  readonly #held: ByteBudget
  readonly #kept: ByteBudget
  readonly #writers = new Map<string, StreamWriter>()
  readonly #readers = new Map<string, StreamReader>()
  readonly #pending = new Map<string, { parts: Buffer[]; bytes: number; of: Set<StreamWriter> }>()
  #watch: NodeJS.Timeout | undefined
  #ready: Promise<void> | undefined
  #flushing = false

  constructor(engine: Engine, bounds: StreamBounds) {
    this.#engine = engine
    this.#bounds = bounds
    this.#held = new ByteBudget(bounds.maxStreamingBytes)
    this.#kept = new ByteBudget(bounds.maxStreamingBytes)
  }

  /** Resolves when this process receives messages. */
  ready(): Promise<void> {
    this.#ready ??= this.#engine.hear(
      (message) => this.#heard(message),
      () => this.#gap(),
    )
    return this.#ready
  }

  /** Opens a stream to write. `to` is its reader; undefined: the first process that asks for the stream. */
  writer(id: string, to?: string): StreamWriter {
    const writer: StreamWriter = new StreamWriter({
      most: this.#bounds.maxStreamBytes,
      room: this.#kept,
      send: (letter, place, bytes) =>
        writer.to !== undefined && this.#send(writer.to, letter, id, place, bytes, writer),
      onOver: () => this.#writers.delete(id),
    })
    writer.to = to
    this.#writers.set(id, writer)
    this.#look()
    return writer
  }

  /** Opens a stream to read, written by the process `from`. */
  reader(id: string, from: string): StreamReader {
    const reader = new StreamReader(from, {
      most: this.#bounds.maxStreamBytes,
      room: this.#granted,
      held: this.#held,
      send: (letter, place, bytes) => this.#send(from, letter, id, place, bytes),
      onOver: () => this.#readers.delete(id),
    })
    this.#readers.set(id, reader)
    void this.ready().then(() => reader.open())
    this.#look()
    return reader
  }

  /** Number of open streams. */
  get size(): number {
    return this.#writers.size + this.#readers.size
  }

  /** Bytes that were written and have not arrived. */
  get keptBytes(): number {
    return this.#kept.taken
  }

  /** Resolves when all written bytes have arrived or were cancelled. */
  async drained(): Promise<void> {
    await Promise.all(Array.from(this.#writers.values(), ({ over }) => over))
  }

  close(): void {
    clearInterval(this.#watch)
    for (const writer of [...this.#writers.values()]) writer.destroy('SPACE_CLOSED')
    for (const reader of [...this.#readers.values()]) reader.fail('SPACE_CLOSED')
    this.#flush()
  }

  #send(to: string, letter: string, id: string, place: string, bytes: Buffer, writer?: StreamWriter): void {
    let pending = this.#pending.get(to)
    if (pending && pending.bytes + bytes.length > LARGEST_MESSAGE && pending.bytes > 0) {
      this.#post(to, pending)
      pending = undefined
    }
    if (!pending) {
      pending = { parts: [Buffer.from(`${this.#engine.presence}\n`)], bytes: 0, of: new Set() }
      this.#pending.set(to, pending)
    }
    writeFrame(pending.parts, letter, id, place, bytes)
    pending.bytes += bytes.length
    if (writer) pending.of.add(writer)
    if (this.#flushing) return
    this.#flushing = true
    setImmediate(() => this.#flush())
  }

  #flush(): void {
    this.#flushing = false
    for (const [to, pending] of [...this.#pending]) this.#post(to, pending)
  }

  #post(to: string, pending: { parts: Buffer[]; of: Set<StreamWriter> }): void {
    this.#pending.delete(to)
    void this.#engine.post(to, pending.parts).then((heard) => {
      if (!heard) for (const writer of pending.of) writer.unheard()
    })
  }

  #heard(message: Buffer): void {
    readFrames(message, (from, letter, id, place, bytes) => {
      if (letter === 'g' || letter === 'r' || letter === 'n') {
        const writer = this.#writers.get(id)
        if (writer) writer.heard(from, letter, place)
        // The stream has ended, and its reader has missed that.
        else if (letter !== 'n') this.#send(from, 'b', id, '0', NOTHING)
      } else {
        const reader = this.#readers.get(id)
        if (reader?.from === from) reader.heard(letter, place, bytes)
      }
    })
  }

  /** Messages may have been lost in both directions: readers ask again, writers probe. */
  #gap(): void {
    for (const reader of this.#readers.values()) reader.ask()
    for (const writer of this.#writers.values()) writer.probe()
  }

  #look(): void {
    this.#watch ??= setInterval(() => {
      for (const writer of [...this.#writers.values()]) writer.look()
      for (const reader of this.#readers.values()) reader.look()
      if (this.size > 0) return
      clearInterval(this.#watch)
      this.#watch = undefined
    }, LOOK_MS).unref()
  }
}

const NOTHING = Buffer.alloc(0)

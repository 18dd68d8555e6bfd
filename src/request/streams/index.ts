/**
 * Streams: bytes from process to process, any number of them, in order and whole, with a bound on what is under way.
 *
 * Beneath are messages that nobody keeps (engine.ts, promise 10): one may be lost whenever a link is. So each stream has two ends that see to it
 * themselves, as TCP does. Its writer (StreamWriter) numbers the bytes and keeps them until the reader (StreamReader) has them; the reader grants how far the
 * writer may go, and asks again for what it has missed. Nothing of a stream stands in the space, so nothing of it can be left there.
 *
 * | frame | from | says                                                                    |
 * |-------|------|-------------------------------------------------------------------------|
 * | `d`   | writer | these bytes begin at this place                                       |
 * | `e`   | writer | the stream ends at this place, with this behind it                    |
 * | `b`   | writer | it is broken off; nothing more comes                                  |
 * | `p`   | writer | where are you? (nothing was heard for a while)                        |
 * | `g`   | reader | all before this place has arrived; you may go up to that place        |
 * | `r`   | reader | the same, and send again what comes from this place on                |
 * | `n`   | reader | nothing more is wanted                                                |
 *
 * What a process writes to another one in one turn of its event loop goes out as one message.
 */
import type { Engine } from '../../engine.js'
import { ByteBudget } from './byte-budget.js'
import { readFrames, writeFrame } from './frames.js'
import { StreamReader } from './reader.js'
import { StreamWriter } from './writer.js'

export type { StreamCallbacks, StreamReader } from './reader.js'
export type { StreamWriter } from './writer.js'

export interface StreamBounds {
  /** What is under way of one stream in one direction, at most, in bytes. Default 1 MiB. */
  readonly maxStreamBytes: number
  /** The same of all streams of this process that it writes. Default 64 MiB. */
  readonly maxStreamingBytes: number
}

export const DEFAULT_STREAM_BOUNDS: StreamBounds = { maxStreamBytes: 1 << 20, maxStreamingBytes: 64 << 20 }

/** What is sent to a process and unread there counts against a bound of the server's (8 MB for a minute): then it cuts the connection. */
const MOST_GRANTED = 8_000_000
/** A message is no longer than about this. */
const LARGEST_MESSAGE = 65_536
/** How often it is looked whether somebody has not been heard for a while. */
const LOOK_MS = 500

export class Streams {
  readonly #engine: Engine
  readonly #bounds: StreamBounds
  readonly #granted = new ByteBudget(MOST_GRANTED)
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
    this.#kept = new ByteBudget(bounds.maxStreamingBytes)
  }

  /** Resolves when this process hears what others send. */
  ready(): Promise<void> {
    this.#ready ??= this.#engine.hear(
      (message) => this.#heard(message),
      () => this.#gap(),
    )
    return this.#ready
  }

  /** A stream to write. `to` is its reader; unknown: who asks for it first. */
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

  /** A stream to read, written by the process `from`. */
  reader(id: string, from: string): StreamReader {
    const reader = new StreamReader(from, {
      most: this.#bounds.maxStreamBytes,
      room: this.#granted,
      send: (letter, place, bytes) => this.#send(from, letter, id, place, bytes),
      onOver: () => this.#readers.delete(id),
    })
    this.#readers.set(id, reader)
    void this.ready().then(() => reader.open())
    this.#look()
    return reader
  }

  /** How many there are. */
  get size(): number {
    return this.#writers.size + this.#readers.size
  }

  /** Bytes that are written and have not arrived. */
  get keptBytes(): number {
    return this.#kept.taken
  }

  /** Resolves when all that was written has arrived, or is wanted by nobody. */
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
    void this.#engine.post(to, Buffer.concat(pending.parts)).then((heard) => {
      if (!heard) for (const writer of pending.of) writer.unheard()
    })
  }

  #heard(message: Buffer): void {
    readFrames(message, (from, letter, id, place, bytes) => {
      if (letter === 'g' || letter === 'r' || letter === 'n') {
        const writer = this.#writers.get(id)
        if (writer) writer.heard(from, letter, place)
        // It is over, and its reader has not heard so.
        else if (letter !== 'n') this.#send(from, 'b', id, '0', NOTHING)
      } else {
        const reader = this.#readers.get(id)
        if (reader?.from === from) reader.heard(letter, place, bytes)
      }
    })
  }

  /** Messages may have been lost, each way: what we were sent meanwhile, and what its readers said of what we write. */
  #gap(): void {
    for (const reader of this.#readers.values()) reader.ask()
    for (const writer of this.#writers.values()) writer.probe()
  }

  #look(): void {
    this.#watch ??= setInterval(() => {
      for (const writer of [...this.#writers.values()]) writer.look()
      if (this.size > 0) return
      clearInterval(this.#watch)
      this.#watch = undefined
    }, LOOK_MS).unref()
  }
}

const NOTHING = Buffer.alloc(0)

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
 * | `c`   | both   | connect to one of these addresses, with this secret (direct/index.ts)   |
 *
 * All frames from one process to another of one turn of the event loop are one message, published through the space. If
 * the two have a direct connection, they are one write on that. Frames may be lost on either way, and with the
 * change from one to the other.
 */
import type { Engine } from '../../engine.js'
import type { Logger } from '../../log.js'
import { collectYoungGarbage } from '../../runtime/garbage.js'
import { ByteBudget } from './byte-budget.js'
import { Copies } from './copies.js'
import { type DirectTerms, NO_DIRECT } from './direct/address.js'
import { DirectLinks } from './direct/index.js'
import { writeFrame } from './frames.js'
import { MessagesIn } from './messages-in.js'
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

/** Streams that have ended, by the way that they took at their end. */
export interface StreamCounts {
  direct: number
  published: number
}

export const DEFAULT_STREAM_BOUNDS: StreamBounds = { maxStreamBytes: 1 << 20, maxStreamingBytes: 64 << 20 }

/**
 * Bytes on their way to this process, beyond the first window of each stream. Enough for a fast link, and so few that
 * other requests do not wait behind them: 2 MB are handled in about 10 ms. The server cuts a connection with 8 MB
 * unread for a minute.
 */
const MOST_GRANTED = 2_000_000
/** Approximate maximum size of a message. */
const LARGEST_MESSAGE = 262_144
/** While so many messages to a process are on their way, further bytes to it become one message: each costs a command. */
const MOST_POSTING = 2
/** Young garbage is collected each time that so many bytes have passed: about 1 ms in 25 ms of a fast stream. */
const COLLECT_AFTER_BYTES = 8 << 20
/** How often silent streams are looked for. */
const LOOK_MS = 500

export class Streams {
  readonly #engine: Engine
  readonly #bounds: StreamBounds
  readonly #granted = new ByteBudget(MOST_GRANTED)
  readonly #held: ByteBudget
  readonly #kept: ByteBudget
  readonly #copies = new Copies()
  readonly #writers = new Map<string, StreamWriter>()
  readonly #readers = new Map<string, StreamReader>()
  readonly #direct: DirectLinks
  /** By source. */
  readonly #messages: MessagesIn[] = []
  readonly ended: StreamCounts = { direct: 0, published: 0 }
  /** Bytes of streamed bodies that this process has sent and received; those that were sent again count again. */
  readonly bytes = { sent: 0, received: 0 }
  readonly #pending = new Map<string, { parts: Buffer[]; bytes: number; of: Set<StreamWriter> }>()
  #watch: NodeJS.Timeout | undefined
  #ready: Promise<void> | undefined
  /** Number of messages to each process that are on their way. */
  readonly #posting = new Map<string, number>()
  /** Bytes sent and received since young garbage was collected. */
  #passed = 0
  #flushing = false

  constructor(engine: Engine, bounds: StreamBounds, direct: DirectTerms = NO_DIRECT) {
    this.#engine = engine
    this.#direct = new DirectLinks(engine.presence, direct, {
      onFrame: (from, letter, id, place, bytes) => this.#frame(from, letter, id, place, bytes),
      onOpen: (presence) => this.#flushTo(presence),
      onLost: (presence) => this.#gap(presence),
    })
    this.#bounds = bounds
    this.#held = new ByteBudget(bounds.maxStreamingBytes)
    this.#kept = new ByteBudget(bounds.maxStreamingBytes)
  }

  /** Resolves when this process receives messages. */
  ready(): Promise<void> {
    this.#ready ??= this.#engine.hear(
      (part, isFirst, source = 0) => {
        this.#messages[source] ??= this.#messagesIn()
        this.#messages[source].read(part, isFirst)
      },
      () => this.#gap(),
    )
    return this.#ready
  }

  /**
   * Accepts direct connections from now on, unless they are off.
   *
   * @throws SpaceError INVALID_ARGUMENT for the address of `directStreams`
   */
  listen(logger: Logger): Promise<void> {
    return this.#direct.listen(logger)
  }

  /** Number of direct connections, and of connections that were cut off because they had not been invited. */
  get direct(): { readonly links: number; readonly refused: number } {
    return { links: this.#direct.size, refused: this.#direct.refused }
  }

  /** Opens a stream to write. `to` is its reader; undefined: the first process that asks for the stream. */
  writer(id: string, to?: string): StreamWriter {
    const writer: StreamWriter = new StreamWriter({
      most: this.#bounds.maxStreamBytes,
      room: this.#kept,
      copies: this.#copies,
      send: (letter, place, bytes) =>
        writer.to !== undefined && this.#send(writer.to, letter, id, place, bytes, writer),
      onOver: () => {
        this.#writers.delete(id)
        this.#count(writer.to)
      },
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
      onOver: () => {
        this.#readers.delete(id)
        this.#count(from)
      },
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
    for (const [to, pending] of [...this.#pending]) this.#post(to, pending)
    this.#direct.close()
  }

  #messagesIn(): MessagesIn {
    return new MessagesIn((from, letter, id, place, bytes) => {
      if (letter !== 'c') this.#frame(from, letter, id, place, bytes)
      else if (this.#hasStreamWith(from)) void this.#direct.accept(from, place, bytes)
    })
  }

  #count(peer: string | undefined): void {
    if (peer === undefined) return
    if (this.#direct.to(peer)) this.ended.direct++
    else this.ended.published++
  }

  #send(to: string, letter: string, id: string, place: string, bytes: Buffer, writer?: StreamWriter): void {
    this.#pass(bytes)
    if (letter === 'd') this.bytes.sent += bytes.length
    const link = this.#direct.to(to)
    if (link) return link.send(letter, id, place, bytes)
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
    const invitation = this.#direct.invite(to)
    if (invitation) writeFrame(pending.parts, 'c', '', invitation.addresses, invitation.secret)
    if (this.#flushing) return
    this.#flushing = true
    setImmediate(() => this.#flush())
  }

  #flush(): void {
    this.#flushing = false
    for (const [to, pending] of [...this.#pending]) {
      if (pending.bytes === 0 || (this.#posting.get(to) ?? 0) < MOST_POSTING) this.#post(to, pending)
    }
  }

  #flushTo(to: string): void {
    const pending = this.#pending.get(to)
    if (pending) this.#post(to, pending)
  }

  #post(to: string, pending: { parts: Buffer[]; of: Set<StreamWriter> }): void {
    this.#pending.delete(to)
    this.#posting.set(to, (this.#posting.get(to) ?? 0) + 1)
    void this.#engine.post(to, pending.parts).then((heard) => {
      const posting = this.#posting.get(to)! - 1
      if (posting > 0) this.#posting.set(to, posting)
      else this.#posting.delete(to)
      if (!heard) for (const writer of pending.of) writer.unheard()
      this.#flushTo(to)
    })
  }

  #pass({ length }: Buffer): void {
    this.#passed += length
    if (this.#passed < COLLECT_AFTER_BYTES) return
    this.#passed = 0
    collectYoungGarbage()
  }

  #frame(from: string, letter: string, id: string, place: string, bytes: Buffer): void {
    this.#pass(bytes)
    if (letter === 'g' || letter === 'r' || letter === 'n') {
      const writer = this.#writers.get(id)
      if (writer) writer.heard(from, letter, place)
      // The stream has ended, and its reader has missed that.
      else if (letter !== 'n') this.#send(from, 'b', id, '0', NOTHING)
    } else {
      if (letter === 'd') this.bytes.received += bytes.length
      const reader = this.#readers.get(id)
      if (reader?.from === from) reader.heard(letter, place, bytes)
    }
  }

  /** Only a process with which the space has brought this one together may have it connect. */
  #hasStreamWith(presence: string): boolean {
    for (const { to } of this.#writers.values()) if (to === presence) return true
    for (const { from } of this.#readers.values()) if (from === presence) return true
    return false
  }

  /** Messages may have been lost in both directions, of all or with one process: readers ask again, writers probe. */
  #gap(presence?: string): void {
    for (const reader of this.#readers.values()) if (reader.from === (presence ?? reader.from)) reader.ask()
    for (const writer of this.#writers.values()) if (writer.to === (presence ?? writer.to)) writer.probe()
  }

  #look(): void {
    this.#watch ??= setInterval(() => {
      for (const writer of [...this.#writers.values()]) writer.look()
      for (const reader of this.#readers.values()) reader.look()
      this.#direct.look()
      if (this.size > 0) return
      clearInterval(this.#watch)
      this.#watch = undefined
    }, LOOK_MS).unref()
  }
}

const NOTHING = Buffer.alloc(0)

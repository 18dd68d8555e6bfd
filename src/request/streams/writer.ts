/**
 * StreamWriter: the writing end of a stream. It keeps the bytes that its reader does not have, to send them again if
 * they are lost.
 *
 *     0 ── arrived ──▶ #arrived ── kept, sent ──▶ #sent ── kept, to be sent ──▶ #written
 *                                                   └─ never beyond #granted
 */
import { monotonicMs } from '../../clock.js'
import type { ByteBudget } from './byte-budget.js'
import type { Copies } from './copies.js'

/** Bytes that may be sent before the first grant: 2,000 such streams fill the limit of unread messages. */
export const FIRST_GRANT = 4_096
/** Unsent bytes at which the writer is told to pause. */
const HIGH_WATER = 65_536
/** Bytes that each stream may keep though the budget of all is used up, by readers who take nothing for example. */
const LEAST_KEPT = HIGH_WATER
const LARGEST_FRAME = 65_536
/** Silence of the reader, in ms, after which it is probed. */
const SILENT_MS = 1_000
/** Silence after the end of the stream: the reader is gone, or has everything and its last message was lost. */
const LINGER_MS = 10_000

export interface StreamWriterTerms {
  readonly most: number
  readonly room: ByteBudget
  readonly copies: Copies
  send(letter: string, place: string, bytes: Buffer): void
  onOver(): void
}

export class StreamWriter {
  /** The reading process, once it is known. */
  to: string | undefined
  /** Called when writing may go on. */
  onDrain: (() => void) | undefined
  /** Called when a reader has asked for the stream. */
  onReader: (() => void) | undefined
  /** Called when the reader has cancelled, or is silent for too long. */
  onUnwanted: (() => void) | undefined
  /** Resolves when all bytes have arrived or were cancelled. */
  readonly over: Promise<void>
  readonly #terms: StreamWriterTerms
  readonly #kept: Buffer[] = []
  /** Index of the next chunk to send. */
  #next = 0
  #arrived = 0
  #sent = 0
  #written = 0
  #granted = FIRST_GRANT
  #end: Buffer | undefined
  #endSent = false
  #isOver = false
  #waiting = false
  #heardAt = monotonicMs()
  #resolve: () => void = () => {}

  constructor(terms: StreamWriterTerms) {
    this.#terms = terms
    this.over = new Promise((resolve) => {
      this.#resolve = resolve
    })
  }

  /** Sets the reader. */
  open(to: string): void {
    this.to = to
    this.#heardAt = monotonicMs()
    this.#pump()
  }

  /** Bytes written so far. */
  get written(): number {
    return this.#written
  }

  get isOpen(): boolean {
    return !this.#isOver && this.#end === undefined
  }

  /**
   * Writes bytes, which the caller must not change any more, unless they are only `lent`: then they are copied. Returns
   * false to pause until `onDrain`; bytes that are written nevertheless are kept.
   */
  write(bytes: Buffer, lent = false): boolean {
    if (!this.isOpen) return false
    if (bytes.length > 0) {
      if (lent) this.#kept.push(...this.#terms.copies.of(bytes))
      else this.#kept.push(bytes)
      this.#written += bytes.length
      this.#terms.room.take(bytes.length)
      this.#pump()
    }
    this.#waiting = !this.hasRoom
    return !this.#waiting
  }

  /** Ends the stream; `last` is its trailer. */
  end(last: Buffer): void {
    if (!this.isOpen) return
    this.#end = last
    this.#heardAt = monotonicMs()
    this.#pump()
  }

  /** Ends the stream as incomplete and tells the reader. */
  destroy(reason: string): void {
    if (this.#isOver) return
    if (this.to !== undefined) this.#terms.send('b', '0', Buffer.from(reason))
    this.#finish()
  }

  heard(from: string, letter: string, place: string): void {
    if (this.to !== undefined && from !== this.to) return
    if (this.to === undefined) {
      this.to = from
      this.onReader?.()
    }
    this.#heardAt = monotonicMs()
    if (letter === 'n') return this.#unwanted()
    const [arrived, granted] = place.split(' ').map(Number)
    if (!(arrived! >= this.#arrived && arrived! <= this.#written && granted! >= this.#granted)) {
      // A late or foreign message: its request is served, its positions are ignored.
      if (letter === 'r' && arrived === this.#arrived) this.#again()
      return this.#pump()
    }
    this.#drop(arrived!)
    this.#granted = granted!
    if (letter === 'r') this.#again()
    if (this.#endSent && this.#arrived === this.#written && place.endsWith(' e')) return this.#finish()
    this.#pump()
    if (this.#waiting && this.hasRoom) {
      this.#waiting = false
      this.onDrain?.()
    }
  }

  /** The reader was not connected; it asks when it is back. */
  unheard(): void {
    if (!this.#isOver) this.#heardAt = Math.min(this.#heardAt, monotonicMs() - SILENT_MS)
  }

  probe(): void {
    if (this.to !== undefined && !this.#isOver) this.#terms.send('p', String(this.#sent), Buffer.alloc(0))
  }

  /** From time to time. */
  look(): void {
    const silentMs = monotonicMs() - this.#heardAt
    if (this.#endSent && silentMs > LINGER_MS) return this.#finish()
    if (silentMs > SILENT_MS && this.to !== undefined && (this.#sent > this.#arrived || this.#endSent)) this.probe()
    if (this.#waiting && this.hasRoom) {
      this.#waiting = false
      this.onDrain?.()
    }
  }

  /** True while more may be written. */
  get hasRoom(): boolean {
    if (!this.isOpen) return false
    const { most, room } = this.#terms
    const kept = this.#written - this.#arrived
    return this.#written - this.#sent < HIGH_WATER && kept < most && (room.left > 0 || kept < LEAST_KEPT)
  }

  #unwanted(): void {
    this.#finish()
    this.onUnwanted?.()
  }

  #finish(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#terms.room.give(this.#written - this.#arrived)
    for (const bytes of this.#kept) this.#terms.copies.forget(bytes)
    this.#kept.length = 0
    this.#terms.onOver()
    this.#resolve()
  }

  #again(): void {
    this.#next = 0
    this.#sent = this.#arrived
    this.#endSent = false
  }

  #drop(arrived: number): void {
    this.#terms.room.give(arrived - this.#arrived)
    let dropped = 0
    while (this.#arrived < arrived) {
      const first = this.#kept[dropped]!
      const rest = arrived - this.#arrived
      this.#terms.copies.arrived(first, Math.min(first.length, rest))
      if (first.length > rest) {
        this.#kept[dropped] = first.subarray(rest)
        this.#arrived = arrived
        break
      }
      this.#arrived += first.length
      dropped++
    }
    this.#kept.splice(0, dropped)
    this.#next = Math.max(this.#next - dropped, 0)
    if (this.#sent < arrived) this.#sent = arrived
  }

  #pump(): void {
    if (this.#isOver || this.to === undefined) return
    while (this.#next < this.#kept.length && this.#sent < this.#granted) {
      const bytes = this.#kept[this.#next]!
      const most = Math.min(this.#granted - this.#sent, LARGEST_FRAME)
      if (bytes.length > most) this.#kept.splice(this.#next, 1, bytes.subarray(0, most), bytes.subarray(most))
      const frame = this.#kept[this.#next++]!
      this.#terms.send('d', String(this.#sent), frame)
      this.#sent += frame.length
    }
    if (this.#end && this.#sent === this.#written && !this.#endSent) {
      this.#endSent = true
      this.#terms.send('e', String(this.#written), this.#end)
    }
  }
}

/**
 * StreamWriter: the end of a stream that is written. It keeps what its reader does not have yet, so that whatever is lost on the way can be sent again.
 *
 *     0 ── arrived ──▶ #arrived ── kept, sent ──▶ #sent ── kept, to be sent ──▶ #written
 *                                                   └─ never beyond #granted
 */
import { monotonicMs } from '../../clock.js'
import type { ByteBudget } from './byte-budget.js'

/** What may be sent before the reader has granted anything: 2,000 such streams fill what may be unread. */
export const FIRST_GRANT = 4_096
/** A writer that has so much waiting to be sent is told to pause. */
const HIGH_WATER = 65_536
const LARGEST_FRAME = 65_536
/** So long after its last word its reader is asked where it is. */
const SILENT_MS = 1_000
/** Of a stream that has ended, so long without a word: its reader is gone, or has all of it and the last word was lost. */
const LINGER_MS = 10_000

export interface StreamWriterTerms {
  readonly most: number
  readonly room: ByteBudget
  send(letter: string, place: string, bytes: Buffer): void
  onOver(): void
}

export class StreamWriter {
  /** Its reader, once it is known. */
  to: string | undefined
  /** There is room again. */
  onDrain: (() => void) | undefined
  /** Somebody reads it from now on. */
  onReader: (() => void) | undefined
  /** Its reader wants nothing more, or has not been heard of although it should have been. */
  onUnwanted: (() => void) | undefined
  /** Resolves when all has arrived, or is not wanted. */
  readonly over: Promise<void>
  readonly #terms: StreamWriterTerms
  readonly #kept: Buffer[] = []
  /** The next of those to be sent. */
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

  /** Its reader is known from now on. */
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

  /** The bytes are the stream's from now on. false: wait for `onDrain`; what is written all the same is kept all the same. */
  write(bytes: Buffer): boolean {
    if (!this.isOpen) return false
    if (bytes.length > 0) {
      this.#kept.push(bytes)
      this.#written += bytes.length
      this.#terms.room.take(bytes.length)
      this.#pump()
    }
    this.#waiting = !this.hasRoom
    return !this.#waiting
  }

  /** All was written; `last` goes behind it. */
  end(last: Buffer): void {
    if (!this.isOpen) return
    this.#end = last
    this.#heardAt = monotonicMs()
    this.#pump()
  }

  /** What was not sent is not, and its reader is told that this is not all. */
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
      // An older word that came late, or a stranger's: what it asks for is sent, what it says is not believed.
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

  /** Nobody was there to hear it; its reader asks when it is back. */
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

  /** Whether more should be written now. */
  get hasRoom(): boolean {
    if (!this.isOpen) return false
    const { most, room } = this.#terms
    return this.#written - this.#sent < HIGH_WATER && this.#written - this.#arrived < most && room.left > 0
  }

  #unwanted(): void {
    this.#finish()
    this.onUnwanted?.()
  }

  #finish(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#terms.room.give(this.#written - this.#arrived)
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

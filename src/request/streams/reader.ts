/**
 * StreamReader: the reading end of a stream. It grants its writer a window: small at first, doubled each time that all
 * of it was used, while the budget allows. So a stream of rare small messages costs little, and a large one flows.
 */

import type { ByteBudget } from './byte-budget.js'
import { FIRST_GRANT } from './writer.js'

/** The window without budget: the stream goes on slowly. */
const SMALLEST_WINDOW = 2_048
const NOTHING = Buffer.alloc(0)

export interface StreamReaderTerms {
  readonly most: number
  readonly room: ByteBudget
  send(letter: string, place: string, bytes: Buffer): void
  onOver(): void
}

export interface StreamCallbacks {
  /** Returns false to pause until `resume()`. */
  onChunk(chunk: Buffer): boolean
  /** The stream is complete; `last` is its trailer. */
  onEnd(last: Buffer): void
  /** The stream is incomplete. */
  onBroken(reason: string): void
}

export class StreamReader {
  /** The writing process. */
  readonly from: string
  readonly #terms: StreamReaderTerms
  #reader: StreamCallbacks | undefined
  /** Chunks that have arrived and were not delivered. */
  readonly #held: Buffer[] = []
  #arrived = 0
  /** Bytes delivered. */
  #given = 0
  #granted = FIRST_GRANT
  #window: number
  #end: { place: number; last: Buffer } | undefined
  #paused = false
  #asking = false
  #isOver = false
  #broken: string | undefined

  constructor(from: string, terms: StreamReaderTerms) {
    this.from = from
    this.#terms = terms
    this.#window = Math.min(FIRST_GRANT, terms.most)
    terms.room.take(this.#window)
  }

  /** Starts delivery. */
  read(reader: StreamCallbacks): void {
    this.#reader = reader
    this.#flow()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#flow()
  }

  /** Asks for the stream from the current position. */
  open(): void {
    if (!this.#isOver) this.#say('r')
  }

  /** Cancels the stream. */
  cancel(): void {
    if (this.#isOver) return
    this.#terms.send('n', '0', NOTHING)
    this.#finish()
  }

  /** Ends the stream as incomplete. Bytes that have arrived are still delivered. */
  fail(reason: string): void {
    if (this.#isOver || this.#broken !== undefined) return
    this.#broken = reason
    this.#flow()
  }

  /** Asks again: messages may have been lost. */
  ask(): void {
    if (this.#isOver) return
    this.#asking = false
    this.#missed()
  }

  heard(letter: string, place: string, bytes: Buffer): void {
    if (this.#isOver) return
    if (letter === 'd') this.#data(Number(place), bytes)
    else if (letter === 'e') this.#ended(Number(place), bytes)
    else if (letter === 'b') this.fail(bytes.length > 0 ? bytes.toString('latin1') : 'OUTCOME_UNKNOWN')
    else if (letter === 'p') this.#say(Number(place) > this.#arrived || this.#end ? 'r' : 'g')
  }

  #data(place: number, bytes: Buffer): void {
    const before = this.#arrived - place
    if (before < 0) return this.#missed()
    // Bytes beyond the window are foreign.
    if (before >= bytes.length || place + bytes.length > this.#granted) return
    const fresh = before === 0 ? bytes : bytes.subarray(before)
    this.#asking = false
    this.#arrived += fresh.length
    this.#held.push(fresh)
    this.#flow()
  }

  #ended(place: number, last: Buffer): void {
    if (place > this.#arrived) return this.#missed()
    this.#end ??= { place, last }
    this.#flow()
  }

  /** Asks once for each loss, not for each message after it. */
  #missed(): void {
    if (this.#asking) return
    this.#asking = true
    this.#say('r')
  }

  #flow(): void {
    const reader = this.#reader
    if (!reader || this.#isOver) return
    while (this.#held.length > 0 && !this.#paused) {
      const chunk = this.#held.shift()!
      this.#given += chunk.length
      if (!reader.onChunk(chunk)) this.#paused = true
      if (this.#isOver) return
    }
    if (this.#held.length > 0) return
    if (this.#end && this.#end.place === this.#arrived) {
      const { last } = this.#end
      this.#say('g')
      this.#finish()
      return reader.onEnd(last)
    }
    if (this.#broken !== undefined) {
      this.#finish()
      return reader.onBroken(this.#broken)
    }
    if (!this.#paused) this.#grant()
  }

  #grant(): void {
    if (this.#given + this.#window - this.#granted < this.#window / 2) return
    if (this.#arrived === this.#granted) this.#widen()
    this.#say('g')
  }

  /** All that was granted was used. */
  #widen(): void {
    const { most, room } = this.#terms
    const wider = Math.min(this.#window * 2, most, this.#window + Math.max(room.left, 0))
    room.take(wider - this.#window)
    this.#window = wider
  }

  #say(letter: string): void {
    // A grant is not taken back: the writer may have used it.
    if (!this.#paused) this.#granted = Math.max(this.#granted, this.#given + Math.max(this.#window, SMALLEST_WINDOW))
    const ended = this.#end && this.#end.place === this.#arrived ? ' e' : ''
    this.#terms.send(letter, `${this.#arrived} ${this.#granted}${ended}`, NOTHING)
  }

  #finish(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#held.length = 0
    this.#terms.room.give(this.#window)
    this.#terms.onOver()
  }
}

/**
 * StreamReader: the end of a stream that is read. It grants its writer how far it may go: at first a little, then twice as much each time that all of it
 * was used, as long as there is room; so a stream of rare small messages costs little, and a large one flows.
 */

import type { ByteBudget } from './byte-budget.js'
import { FIRST_GRANT } from './writer.js'

/** Also without room a stream goes on, slowly. */
const SMALLEST_WINDOW = 2_048
const NOTHING = Buffer.alloc(0)

export interface StreamReaderTerms {
  readonly most: number
  readonly room: ByteBudget
  send(letter: string, place: string, bytes: Buffer): void
  onOver(): void
}

export interface StreamCallbacks {
  /** false: nothing more before `resume()`. */
  onChunk(chunk: Buffer): boolean
  /** All has come; `last` is what stands behind it. */
  onEnd(last: Buffer): void
  /** It is broken off: what has come is not all. */
  onBroken(reason: string): void
}

export class StreamReader {
  /** Its writer. */
  readonly from: string
  readonly #terms: StreamReaderTerms
  #reader: StreamCallbacks | undefined
  /** Has arrived, and nobody has taken it yet. */
  readonly #held: Buffer[] = []
  #arrived = 0
  /** Given to the reader. */
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

  /** From now on it is read. */
  read(reader: StreamCallbacks): void {
    this.#reader = reader
    this.#flow()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#flow()
  }

  /** Asks for it from where it has come. */
  open(): void {
    if (!this.#isOver) this.#say('r')
  }

  /** Nothing more of it is wanted. */
  cancel(): void {
    if (this.#isOver) return
    this.#terms.send('n', '0', NOTHING)
    this.#finish()
  }

  /** Somebody else has learned that no more will come. What has arrived is still given. */
  fail(reason: string): void {
    if (this.#isOver || this.#broken !== undefined) return
    this.#broken = reason
    this.#flow()
  }

  /** Something may have been lost. */
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
    // Beyond what was granted is a stranger's.
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

  /** Said once for each loss, not for each message that comes after it. */
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
    // What was granted before stays so: the writer may have made use of it.
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

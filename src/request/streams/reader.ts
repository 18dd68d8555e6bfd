/**
 * StreamReader: the reading end of a stream. It grants its writer a window: small at first, and larger each time that
 * the writer had to wait for more. So a stream of rare small messages costs little, and a large one flows.
 *
 * The first window is every stream's own. What is granted beyond comes from a budget of all streams until it arrives:
 * so much is on its way to this process at a time. If nothing is left, streams wait in line, those that have moved
 * little before all others: whoever reads little is answered soon, however many large streams there are. A stream
 * whose reader takes nothing has nothing on its way. What has arrived for one that pauses counts in another budget,
 * of which a window is at most a part of the rest.
 */

import type { ByteBudget, InLine } from './byte-budget.js'
import { FIRST_GRANT } from './writer.js'

/** The window if no memory is left. */
const LEAST_HELD = 65_536
/** While others wait, a turn is of at most so many bytes. */
const LARGEST_TURN = 131_072
/** The most that a window may have of what is left of the two budgets. */
const PART_OF_ROOM = 1 / 2
const PART_OF_MEMORY = 1 / 16
/** 4 KB to 1 MiB in four steps, each of which takes a way to the writer and back. */
const GROWTH = 4
/** Most streams end before they have moved so much. */
const LITTLE = 1 << 20
const NOTHING = Buffer.alloc(0)

export interface StreamReaderTerms {
  readonly most: number
  /** Bytes that are on their way, beyond the first window of each stream. */
  readonly room: ByteBudget
  /** Bytes that have arrived and were not delivered. */
  readonly held: ByteBudget
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

let numbers = 0

export class StreamReader implements InLine {
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
  /** The grant before that. A frame ends there if the writer had to wait for the next one. */
  #grantedBefore = FIRST_GRANT
  #wasAwaited = false
  #window: number
  /** The bytes that were taken from the budgets. */
  #chargedRoom = 0
  #chargedHeld = 0
  #end: { place: number; last: Buffer } | undefined
  #paused = false
  #asking = false
  #isInLine = false
  /** Nothing has arrived between the last two looks. */
  #isIdle = false
  #arrivedBefore = -1
  #isOver = false
  #broken: string | undefined

  /** How many were there before it in this process. */
  readonly #number = ++numbers

  constructor(from: string, terms: StreamReaderTerms) {
    this.from = from
    this.#terms = terms
    this.#window = Math.min(FIRST_GRANT, terms.most)
  }

  /** Starts delivery. */
  read(reader: StreamCallbacks): void {
    this.#reader = reader
    this.#flow()
    this.#charge()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#flow()
    this.#charge()
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
    if (letter === 'd' || letter === 'e') {
      const at = Number(place)
      // Every comparison below is false for a position that is no number.
      if (!Number.isSafeInteger(at) || at < 0) return
      if (letter === 'd') this.#data(at, bytes)
      else this.#ended(at, bytes)
    } else if (letter === 'b') this.fail(bytes.length > 0 ? bytes.toString('latin1') : 'OUTCOME_UNKNOWN')
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
    this.#wasAwaited ||= this.#arrived === this.#grantedBefore
    this.#isIdle = false
    this.#held.push(fresh)
    this.#flow()
    this.#charge()
  }

  #ended(place: number, last: Buffer): void {
    if (place > this.#arrived) return this.#missed()
    // The end of fewer bytes than have arrived is foreign.
    if (place < this.#arrived) return
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
    const used = this.#arrived === this.#granted || this.#wasAwaited
    this.#wasAwaited = false
    if (used) this.#window = Math.min(this.#window * GROWTH, this.#terms.most)
    const window = this.#allowedWindow()
    if (!used && this.#given + window - this.#granted < window / 2) return
    if (this.#window <= FIRST_GRANT) return this.#say('g')
    if (this.#isInLine) return
    this.#isInLine = true
    this.#terms.room.waitForTurn(this)
    // The writer can have its next bytes ready when the turn comes.
    if (this.#isInLine) this.#acknowledge('g')
  }

  /** Streams of little come before all that have moved much, the latest first; the others by what they have moved. */
  get rank(): number {
    return this.#given < LITTLE ? -this.#number : this.#given
  }

  get wanted(): number {
    return Math.max(Math.min(this.#window, LARGEST_TURN) - FIRST_GRANT - this.#chargedRoom, 0)
  }

  turn(): void {
    this.#isInLine = false
    if (!this.#paused && !this.#isOver) this.#say('g')
  }

  /** From time to time: a writer that does not use its grant shall not keep others from theirs. */
  look(): void {
    this.#isIdle = this.#arrived === this.#arrivedBefore
    this.#arrivedBefore = this.#arrived
    this.#charge()
  }

  /** Returns the window, as far as the budgets allow it. */
  #allowedWindow(): number {
    const { room, held } = this.#terms
    const left = Math.max(room.left + this.#chargedRoom, 0)
    const ours = Math.max(left * PART_OF_ROOM, Math.min(left, LARGEST_TURN - FIRST_GRANT))
    const memory = Math.max(held.left * PART_OF_MEMORY, LEAST_HELD)
    return Math.floor(Math.min(this.#window, FIRST_GRANT + ours, memory))
  }

  /** Takes from the budgets what is on its way and what is held. */
  #charge(): void {
    const { room, held } = this.#terms
    const onItsWay = this.#isOver || this.#isIdle ? 0 : Math.max(this.#granted - this.#arrived - FIRST_GRANT, 0)
    const undelivered = this.#isOver ? 0 : this.#arrived - this.#given
    const [more, moreHeld] = [onItsWay - this.#chargedRoom, undelivered - this.#chargedHeld]
    this.#chargedRoom = onItsWay
    this.#chargedHeld = undelivered
    held.take(moreHeld)
    // The bytes given back may be another stream's turn at once.
    if (more < 0) room.give(-more)
    else room.take(more)
  }

  #say(letter: string): void {
    // A grant is not taken back: the writer may have used it.
    const granted = this.#paused ? 0 : this.#given + this.#allowedWindow()
    if (granted > this.#granted) {
      this.#grantedBefore = this.#granted
      this.#granted = granted
    }
    this.#charge()
    this.#acknowledge(letter)
  }

  #acknowledge(letter: string): void {
    const ended = this.#end && this.#end.place === this.#arrived ? ' e' : ''
    this.#terms.send(letter, `${this.#arrived} ${this.#granted}${ended}`, NOTHING)
  }

  #finish(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#held.length = 0
    this.#terms.room.leave(this)
    this.#charge()
    this.#terms.onOver()
  }
}

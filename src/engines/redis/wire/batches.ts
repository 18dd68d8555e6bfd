/**
 * Operations travel in batches: what the process issues in one turn of its event loop goes out as one call, with an answer for each.
 *
 * A batch has a number, and the space keeps the last answers under it, so a batch whose answer was lost is asked about again and takes
 * effect once. That holds within one history of the server (see Server.run): in another one, only what may be repeated is.
 */

import { monotonicMs } from '../../../clock.js'
import type { Bounds } from '../../../engine/bounds.js'
import { SpaceError } from '../../../errors.js'
import type { Link } from './connection.js'

export interface Operation {
  /** A letter of the library's OPS, then what it wants. */
  readonly args: readonly (string | Buffer)[]
  /** Whether it may run again when it cannot be known whether it ran. */
  readonly repeatable: boolean
  /** How many entries it writes; default one at most. */
  readonly entries?: number
  /** With a form, operations of one letter in a row go out as one, each adding its form and two arguments; still with an answer each. */
  readonly form?: string
  /** Registers something that is registered anew with each link; without one it fails at once. */
  readonly standing?: boolean
  /** Since when it is asked for, on the monotonic clock, if that was before. */
  readonly began?: number
  answer(letter: string, values: readonly Buffer[], now: number): void
  fail(error: SpaceError): void
}

interface Queued extends Operation {
  since: number
}

interface Batch {
  readonly number: number
  readonly operations: readonly Queued[]
  sentAt: number
  /** How often it was sent: one that was refused on the first sending has surely not run. */
  sent: number
}

/**
 * More in one call would hold the server for milliseconds; fewer would waste calls. In between, what waits is dealt out over the calls
 * that may be under way: in one single batch all of it would move in convoy, each process idle while the next one works (at 64 round
 * trips in flight: 23,000 a second in one batch, 31,000 in two; shares below 32 cost more over HTTP than they gain).
 */
const LARGEST_BATCH = 128
const SMALLEST_SHARE = 32
/**
 * What one call writes at most, but for a single operation that writes more: that is all or none. Eight writes of 1,000 entries in one call
 * held the server for 180 ms at least, in a call each for 27.
 */
const MOST_WRITTEN = 256
/** Waiting for a free place lets batches grow under load. The library remembers the last 64. */
const MOST_UNDER_WAY = 4
const MOST_QUEUED = 20_000
/** A server that does not answer for so long is taken for gone. */
const ANSWER_MS = 3_000
/** So long an operation waits for the link to come back. */
const GIVE_UP_MS = 5_000
const WATCH_MS = 250
const RENEW_MS = 4_000
/** So long an answer tells what time it is. */
const CLOCK_MS = 60_000

/** How many values follow each letter of an answer (replay.lua has the same table). */
const VALUES: Record<string, number> = { f: 3, m: 1, e: 1, p: 2, P: 3 }
const NONE: readonly Buffer[] = []

/** What a server says when it cannot serve now; the link is given up and the batch asked about again on the next one. */
const NOT_NOW = /^(LOADING|READONLY|BUSY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOREPLICAS|UNBLOCKED|MISCONF|OOM)/

export class Batches {
  readonly #presence: string
  readonly #nonce: string
  /** Said ahead of the operations of each batch (bound.lua); nothing if there are none. */
  readonly #bounds: readonly string[]
  readonly #onPresenceLost: () => void
  /** One more operation for a batch that goes out anyway. */
  readonly #rider: () => Operation | undefined
  readonly #queue: Queued[] = []
  /** In the order of their numbers; a few at most. (Not a Map: see src/runtime/in-flight.ts.) */
  #unanswered: Batch[] = []
  #number = 0
  #link: Link | undefined
  #flowing = false
  /** How many have been put ahead of what was kept back. */
  #registering: number | undefined
  #scheduled = false
  #watch: NodeJS.Timeout | undefined
  #renewedAt = 0
  #heardAt = 0
  /** The lease clock as the last answer told it, and when that came. */
  #clock: { readonly now: number; readonly at: number } | undefined
  #closed = false

  constructor(
    presence: string,
    nonce: string,
    { maxEntries = 0, maxBytes = 0 }: Bounds,
    onPresenceLost: () => void,
    rider: () => Operation | undefined,
  ) {
    this.#presence = presence
    this.#nonce = nonce
    this.#bounds = maxEntries + maxBytes > 0 ? ['M', String(maxEntries), String(maxBytes)] : []
    this.#onPresenceLost = onPresenceLost
    this.#rider = rider
  }

  add(operation: Operation): void {
    if (this.#closed) return operation.fail(new SpaceError('SPACE_CLOSED'))
    if (this.#queue.length >= MOST_QUEUED)
      return operation.fail(new SpaceError('SPACE_UNREACHABLE', 'Too much is waiting to be sent.'))
    const queued = operation as Queued
    queued.since = operation.began ?? monotonicMs()
    if (!queued.standing || this.#flowing) this.#queue.push(queued)
    // Ahead of what was kept back: a completion gives its credit to an offer that stands.
    else if (this.#registering !== undefined) this.#queue.splice(this.#registering++, 0, queued)
    else return queued.fail(new SpaceError('SPACE_UNREACHABLE'))
    this.#schedule()
    this.#watch ??= setInterval(() => this.#look(), WATCH_MS)
  }

  /** The link is gone: what is unanswered stays so until the next one, but for what is registered anew there. */
  down(): void {
    this.#link = undefined
    this.#flowing = false
    this.#clock = undefined
    const gone = new SpaceError('SPACE_UNREACHABLE')
    for (const operation of this.#queue.splice(0)) {
      if (operation.standing) operation.fail(gone)
      else this.#queue.push(operation)
    }
    for (const batch of [...this.#unanswered]) {
      if (!batch.operations.every((operation) => operation.standing)) continue
      this.#drop(batch)
      for (const operation of batch.operations) operation.fail(gone)
    }
  }

  /** Goes out at once and alone, also while nothing flows. */
  first(operation: Operation): void {
    const queued = operation as Queued
    queued.since = monotonicMs()
    const batch: Batch = { number: ++this.#number, operations: [queued], sentAt: 0, sent: 0 }
    this.#unanswered.push(batch)
    void this.#send(batch, 'R')
  }

  /**
   * Settles what was unanswered on a former link. `known`: the presence was found again in the same history, so numbers still count;
   * otherwise batches are only asked about, and what the space has no answer to is repeated or given up as unknown.
   */
  async settle(link: Link, known: boolean): Promise<void> {
    this.#link = link
    for (const batch of [...this.#unanswered]) {
      await this.#send(batch, known ? 'n' : 'p')
      if (this.#link !== link) return
    }
  }

  /** New batches may go out, after what `askAnew` registers. */
  flow(askAnew: () => void): void {
    this.#registering = 0
    askAnew()
    this.#registering = undefined
    this.#flowing = true
    this.#turn()
  }

  /** Whether what is registered stands, or is on its way: not without a link, not while the presence is found again. */
  get flowing(): boolean {
    return this.#flowing
  }

  /** How long ago the space last answered. */
  get silentMs(): number {
    return monotonicMs() - this.#heardAt
  }

  /** About what time it is on the lease clock. undefined: nobody has told so for a while. */
  get leaseNow(): number | undefined {
    if (!this.#clock) return undefined
    const passed = monotonicMs() - this.#clock.at
    return passed < CLOCK_MS ? this.#clock.now + passed : undefined
  }

  /** The space has answered, with the time on the lease clock if it told that. */
  heard(leaseNow?: number): void {
    this.#heardAt = monotonicMs()
    if (leaseNow !== undefined) this.#clock = { now: leaseNow, at: this.#heardAt }
  }

  /** Operations that have not been answered. */
  get queued(): number {
    return this.#unanswered.reduce((sum, { operations }) => sum + operations.length, this.#queue.length)
  }

  /** Whether any call in the last so many ms has renewed the presence. */
  renewedWithin(ms: number): boolean {
    return monotonicMs() - this.#renewedAt < ms
  }

  renewed(): void {
    this.#renewedAt = monotonicMs()
  }

  close(): void {
    this.#closed = true
    this.#flowing = false
    clearInterval(this.#watch)
    const error = new SpaceError('SPACE_CLOSED')
    for (const operation of this.#queue.splice(0)) operation.fail(error)
    for (const { operations } of this.#unanswered.splice(0)) for (const operation of operations) operation.fail(error)
  }

  /** It is answered, or given up. False if it was before. */
  #drop(batch: Batch): boolean {
    const at = this.#unanswered.indexOf(batch)
    if (at >= 0) this.#unanswered.splice(at, 1)
    return at >= 0
  }

  #schedule(): void {
    if (this.#scheduled || !this.#flowing) return
    this.#scheduled = true
    // After the poll phase: everything that the sockets brought in this turn is in the queue by then.
    setImmediate(() => {
      this.#scheduled = false
      this.#turn()
    })
  }

  #turn(): void {
    const share = Math.max(Math.ceil(this.#queue.length / MOST_UNDER_WAY), SMALLEST_SHARE)
    while (this.#flowing && this.#queue.length > 0 && this.#unanswered.length < MOST_UNDER_WAY) {
      const operations = this.#queue.splice(0, this.#fitting(Math.min(share, LARGEST_BATCH)))
      const rider = this.#rider() as Queued | undefined
      if (rider) operations.push(rider)
      const batch: Batch = { number: ++this.#number, operations, sentAt: 0, sent: 0 }
      this.#unanswered.push(batch)
      const renew = !this.renewedWithin(RENEW_MS)
      if (renew) this.renewed()
      void this.#send(batch, renew ? 'R' : 'n')
    }
  }

  /** How many of those that wait go out together: at most so many, and no more than may be written in one call. */
  #fitting(most: number): number {
    const queue = this.#queue
    let written = 0
    for (let i = 0; i < most && i < queue.length; i++) {
      written += queue[i]!.entries ?? 1
      if (written > MOST_WRITTEN && i > 0) return i
    }
    return most
  }

  async #send(batch: Batch, mode: string): Promise<void> {
    const link = this.#link
    if (!link) return
    batch.sentAt = monotonicMs()
    batch.sent++
    const args: (string | Buffer)[] = [
      this.#presence,
      String(batch.number),
      link.server.run,
      mode,
      this.#nonce,
      ...this.#bounds,
    ]
    append(args, batch.operations)
    let reply: Buffer[]
    try {
      reply = await link.batch(args)
    } catch (error) {
      return this.#failed(batch, link, error as Error)
    }
    this.#answered(batch, reply)
    this.#turn()
  }

  #failed(batch: Batch, link: Link, error: Error): void {
    if (error.name !== 'ReplyError') return // The link was cut; settle() asks about it on the next one.
    if (NOT_NOW.test(error.message)) return link.cut(error.message)
    this.#drop(batch)
    const failure = /^NOPERM/.test(error.message)
      ? new SpaceError('REDIS_REFUSED', error.message)
      : new SpaceError('INTERNAL', error.message, { cause: error })
    for (const operation of batch.operations) operation.fail(failure)
  }

  #answered(batch: Batch, reply: readonly Buffer[]): void {
    this.heard()
    if (!this.#drop(batch)) return
    const letters = reply[0]!.toString('latin1')
    if (letters.startsWith('!')) return this.#refused(batch, letters.slice(1))
    const now = Number(reply[1]!.toString('latin1'))
    this.heard(now)
    let at = 2
    for (let i = 0; i < batch.operations.length; i++) {
      const letter = letters[i]!
      const values = VALUES[letter] ?? 0
      batch.operations[i]!.answer(letter, values ? reply.slice(at, at + values) : NONE, now)
      at += values
    }
  }

  #refused(batch: Batch, why: string): void {
    if (why === 'DATA_NEWER') {
      for (const operation of batch.operations) operation.fail(new SpaceError('DATA_NEWER'))
      return
    }
    const surelyNotRun = why === 'SESSION' && batch.sent === 1
    const again: Queued[] = []
    for (const operation of batch.operations) {
      if (operation.standing) operation.fail(new SpaceError('SPACE_UNREACHABLE'))
      else if (surelyNotRun || operation.repeatable) again.push(operation)
      else operation.fail(new SpaceError('OUTCOME_UNKNOWN'))
    }
    this.#queue.unshift(...again)
    if (why === 'SESSION' && this.#flowing) {
      this.#flowing = false
      this.#onPresenceLost()
    }
  }

  #look(): void {
    const now = monotonicMs()
    const [oldest] = this.#unanswered
    if (!oldest && this.#queue.length === 0) {
      clearInterval(this.#watch)
      this.#watch = undefined
      return
    }
    if (this.#link && oldest && now - oldest.sentAt > ANSWER_MS) this.#link.cut(`no answer for ${ANSWER_MS} ms`)
    if (this.#flowing) return
    for (const operation of this.#queue.splice(0)) {
      if (now - operation.since < GIVE_UP_MS) this.#queue.push(operation)
      else operation.fail(new SpaceError('SPACE_UNREACHABLE'))
    }
    if (this.#link) return
    for (const batch of [...this.#unanswered]) {
      if (now - batch.operations[0]!.since < GIVE_UP_MS) continue
      this.#drop(batch)
      for (const { repeatable, fail } of batch.operations) {
        fail(new SpaceError(repeatable ? 'SPACE_UNREACHABLE' : 'OUTCOME_UNKNOWN'))
      }
    }
  }
}

function append(args: (string | Buffer)[], operations: readonly Operation[]): void {
  for (let i = 0; i < operations.length; ) {
    const operation = operations[i]!
    const { form } = operation
    if (!form) {
      args.push(...operation.args)
      i++
      continue
    }
    const letter = operation.args[0]!
    let run = i + 1
    while (run < operations.length && operations[run]!.args[0] === letter && operations[run]!.form) run++
    args.push(letter, String(run - i))
    for (let last = ''; i < run; i++) {
      const { form: own = '', args: rest } = operations[i]!
      // Every byte of an argument is hashed by the server's Lua: what is the same as before is not said again.
      args.push(own === last ? '' : own, rest[1]!, rest[2]!)
      last = own
    }
  }
}

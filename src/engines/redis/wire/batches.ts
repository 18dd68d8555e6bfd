/**
 * Batches: the operations that a process issues in one turn of its event loop go out as one call, with a reply for
 * each.
 *
 * | a batch is | until                                               | then                                          |
 * |------------|-----------------------------------------------------|-----------------------------------------------|
 * | queued     | the turn of the event loop ends, and a call is free | sent                                          |
 * | sent       | the reply comes                                     | settled: each operation has its reply         |
 * |            | a script of another client blocks the server (BUSY) | sent again after a pause: it has not run      |
 * |            | the link is cut                                     | unanswered                                    |
 * |            | the server refuses it (REFUSAL), or the call fails  | settled: operations are queued again, or fail |
 * | unanswered | there is a link to the same history                 | sent under the same number: it runs once      |
 * |            | there is a link to another history                  | asked about; what has no reply is repeated,   |
 * |            |                                                     | or fails                                      |
 * |            | 5 s have passed without a link                      | settled: its operations fail                  |
 * | held       | the level is reached                                | settled                                       |
 * |            | it is not reached in time                           | settled: OUTCOME_UNKNOWN                      |
 *
 * A batch is held between its reply and its settling if a level `replicated:n` is promised (level.ts); on a new link it
 * is then unanswered. The space keeps the last replies under the numbers of their batches, so a batch whose reply was lost takes effect
 * once. That holds within one history of the server (see Server.run).
 */
import { monotonicMs } from '../../../clock.js'
import type { Bounds } from '../../../engine/bounds.js'
import { SpaceError, unconfirmedError } from '../../../errors.js'
import { MODE, REFUSAL, REPLY, REPLY_VALUES } from '../protocol.js'
import { LeaseClock } from './lease-clock.js'
import { type Batch, isUncertain, Ledger } from './ledger.js'
import type { Level } from './level.js'
import type { Link } from './link.js'
import { appendOperations, type Operation } from './operation.js'
import { PresenceLease } from './presence-lease.js'
import { Queue, type Queued, queued } from './queue.js'
import { type Reaction, reactionTo } from './reactions.js'
import { callRefusal, layoutError } from './refusal.js'
import type { Argument } from './resp.js'

/**
 * Beyond this number of batches under way, waiting operations gather in larger batches. The library remembers the last
 * 64.
 */
const MOST_UNDER_WAY = 4
/** A server that does not reply for this long counts as gone. */
const REPLY_MS = 3_000
/** How long an operation waits for the link to come back. */
const GIVE_UP_MS = 5_000
const WATCH_MS = 250
/** Batch.sentAt of a batch that waits to be sent again. */
const WAITS = Number.POSITIVE_INFINITY
/** The pause before a batch is sent again to a server that refuses it for now. */
const REFUSED_PAUSE_MS = 50
/** The library remembers the replies of 64 batches: those that are held must be among them. */
const MOST_UNSETTLED = 48
const RENEW_MS = 4_000
/** Longer than the time between two attempts that may fail for the same reason. */
const UNUSABLE_MS = 3_000

const VALUE_COUNTS: Readonly<Record<string, number>> = Object.fromEntries(
  Object.entries(REPLY_VALUES).map(([name, values]) => [REPLY[name as keyof typeof REPLY_VALUES], values.length]),
)
const NO_VALUES: readonly Buffer[] = []

export class Batches {
  readonly clock = new LeaseClock()
  readonly lease = new PresenceLease()
  readonly level: Level
  readonly #presence: string
  readonly #nonce: string
  /** Sent ahead of the operations of each batch (bound.lua); empty if there are no bounds. */
  readonly #bounds: readonly string[]
  readonly #onPresenceLost: () => void
  /** Returns one more operation for a batch that goes out anyway, if there is one. */
  readonly #piggyback: () => Operation | undefined
  readonly #queue = new Queue()
  readonly #ledger = new Ledger()
  #link: Link | undefined
  #flowing = false
  #scheduled = false
  #watch: NodeJS.Timeout | undefined
  /** The server refuses calls for now: the batches that it refused wait, and nothing overtakes them. */
  #refusal: Reaction | undefined
  /** As settle() was told. */
  #hasSurvived = false
  /** How many operations of settled batches run again, in their order. */
  #againCount = 0
  /** The last words of a server that could not serve. */
  #lastWords: Error | undefined
  #pause: NodeJS.Timeout | undefined
  #unusableAt = Number.NEGATIVE_INFINITY
  #closed = false

  constructor(
    presence: string,
    nonce: string,
    level: Level,
    { maxEntries = 0, maxBytes = 0 }: Bounds,
    onPresenceLost: () => void,
    piggyback: () => Operation | undefined,
  ) {
    this.#presence = presence
    this.#nonce = nonce
    this.level = level
    this.#bounds = maxEntries + maxBytes > 0 ? ['bound', '1', String(maxEntries), String(maxBytes)] : []
    this.#onPresenceLost = onPresenceLost
    this.#piggyback = piggyback
  }

  add(operation: Operation): void {
    if (this.#closed) return operation.fail(new SpaceError('SPACE_CLOSED'))
    if (this.#queue.isFull) return operation.fail(new SpaceError('OVERLOADED'))
    const waiting = queued(operation)
    if (!waiting.standing || this.#flowing) this.#queue.add(waiting)
    else if (!this.#queue.addAhead(waiting)) return waiting.fail(new SpaceError('SPACE_UNREACHABLE'))
    this.#schedule()
    this.#watch ??= setInterval(() => this.#look(), WATCH_MS)
  }

  /**
   * The link is gone. Unanswered operations stay so until the next link, except for registrations, which are made anew
   * there.
   */
  down(): void {
    this.#link = undefined
    this.#flowing = false
    this.#calm()
    this.clock.forget()
    this.#queue.failUnless(
      ({ standing }) => !standing,
      () => this.#unreachable(),
    )
    this.#ledger.failUnless(
      ({ operations }) => !operations.every(({ standing }) => standing),
      () => this.#unreachable(),
    )
    for (const batch of this.#ledger.all()) batch.held = false
  }

  /** The server could not be reached again, or does not serve: what it said is the reason that operations give. */
  away(error: Error): void {
    if (reactionTo(error)) this.#lastWords = error
  }

  /** Sends an operation at once and alone, even while nothing flows. */
  first(operation: Operation): void {
    void this.#send(this.#ledger.add([queued(operation)]), MODE.runAndRenew)
  }

  /**
   * Settles the batches that were unanswered on a former link. `known`: the presence was found again in the same
   * history, so numbers still count; otherwise batches are only asked about. `survived`: the presence was found again,
   * so a batch that is not recorded is no part of this history.
   */
  async settle(link: Link, known: boolean, survived: boolean): Promise<void> {
    this.#link = link
    this.#hasSurvived = survived
    this.#againCount = 0
    for (const batch of this.#ledger.all()) {
      await this.#send(batch, known ? MODE.run : MODE.askOnly)
      if (this.#link !== link) return
    }
  }

  /** Lets new batches go out, after the registrations that `askAnew` makes. */
  flow(askAnew: () => void): void {
    this.#lastWords = undefined
    this.#queue.ahead(askAnew)
    this.#flowing = true
    this.#turn()
  }

  /** Registrations are in the space or on their way. False without a link, and until the presence has synced. */
  get flowing(): boolean {
    return this.#flowing
  }

  /** The number of operations without a reply. */
  get queued(): number {
    return this.#ledger.operations + this.#queue.length
  }

  /** How many batches were sent so far. */
  get sent(): number {
    return this.#ledger.added
  }

  close(): void {
    this.#closed = true
    this.#flowing = false
    this.#calm()
    clearInterval(this.#watch)
    this.#queue.failUnless(
      () => false,
      () => new SpaceError('SPACE_CLOSED'),
    )
    this.#ledger.failUnless(
      () => false,
      () => new SpaceError('SPACE_CLOSED'),
    )
  }

  #schedule(): void {
    if (this.#scheduled || !this.#flowing) return
    this.#scheduled = true
    // After the poll phase: by then everything that the sockets brought in this turn is in the queue.
    setImmediate(() => {
      this.#scheduled = false
      this.#turn()
    })
  }

  #turn(): void {
    const share = this.#queue.share(MOST_UNDER_WAY)
    while (this.#flowing && !this.#refusal && this.#queue.length > 0 && this.#hasRoom) {
      const operations = this.#queue.next(share)
      const piggyback = this.#piggyback()
      if (piggyback) operations.push(queued(piggyback))
      const renew = !this.lease.askedWithin(RENEW_MS)
      void this.#send(this.#ledger.add(operations), renew ? MODE.runAndRenew : MODE.run)
    }
  }

  get #hasRoom(): boolean {
    if (this.level.isNone) return this.#ledger.length < MOST_UNDER_WAY
    return this.#ledger.underWay < MOST_UNDER_WAY && this.#ledger.length < MOST_UNSETTLED
  }

  async #send(batch: Batch, mode: string): Promise<void> {
    const link = this.#link
    if (!link) return
    const renewalAskedAt = mode === MODE.runAndRenew ? this.lease.asked() : undefined
    batch.sentAt = monotonicMs()
    batch.sent++
    batch.mode = mode
    const call: Argument[] = [this.#presence, String(batch.number), link.server.run, mode, this.#nonce, ...this.#bounds]
    appendOperations(call, batch.operations)
    let reply: Buffer[]
    try {
      reply = await link.batch(call)
    } catch (error) {
      return this.#failed(batch, link, error as Error)
    }
    this.#arrived(batch, reply, renewalAskedAt)
    this.#turn()
  }

  #failed(batch: Batch, link: Link, error: Error): void {
    if (error.name !== 'ReplyError') return // The link was cut; settle() asks about the batch on the next one.
    const reaction = reactionTo(error)
    if (reaction) this.#lastWords = error
    if (reaction && !reaction.mayHaveRun) batch.sent--
    if (reaction?.next === 'again' && this.#flowing) return this.#sendAgain(batch, reaction)
    if (reaction) return link.cut(error.message)
    this.#ledger.drop(batch)
    const failure = callRefusal(error)
    if (failure.code === 'DATA_DAMAGED') this.unusable()
    for (const operation of batch.operations) operation.fail(failure)
  }

  /** Notes that a key of the space holds what takespace did not write. */
  unusable(): void {
    this.#unusableAt = monotonicMs()
  }

  /** That was noted in the last UNUSABLE_MS. */
  get isUnusable(): boolean {
    return monotonicMs() - this.#unusableAt < UNUSABLE_MS
  }

  /** Keeps a batch that the server has refused for now. After a pause, all of them are sent again in their order. */
  #sendAgain(batch: Batch, reaction: Reaction): void {
    batch.sentAt = WAITS
    this.#refusal = reaction
    this.#pause ??= setTimeout(() => {
      this.#pause = undefined
      for (const each of this.#ledger.all()) if (each.sentAt === WAITS) void this.#send(each, each.mode)
    }, REFUSED_PAUSE_MS)
  }

  #calm(): void {
    this.#refusal = undefined
    clearTimeout(this.#pause)
    this.#pause = undefined
  }

  /**
   * Fails what has waited too long for a server that refuses calls for now. Registrations wait on: no new link renews
   * them.
   */
  #giveUpWaiting(now: number): void {
    const isKept = ({ standing, since }: Queued): boolean => standing === true || now - since < GIVE_UP_MS
    this.#queue.failUnless(isKept, () => this.#unreachable())
    for (const batch of this.#ledger.all()) {
      if (batch.sentAt !== WAITS) continue
      const gone = batch.operations.filter((operation) => !isKept(operation))
      batch.operations = batch.operations.filter(isKept)
      if (batch.operations.length === 0) this.#ledger.drop(batch)
      for (const operation of gone) operation.fail(this.#unreachable())
    }
    if (this.#ledger.length > 0) return
    this.#calm()
    this.#turn()
  }

  #unreachable(): SpaceError {
    const cause = this.#lastWords
    const says = cause && reactionTo(cause)?.says
    return new SpaceError('SPACE_UNREACHABLE', says, cause && { cause })
  }

  #arrived(batch: Batch, reply: readonly Buffer[], renewalAskedAt: number | undefined): void {
    this.#refusal = undefined
    this.clock.heard()
    const kinds = reply[0]!.toString('latin1')
    if (kinds.startsWith('!')) {
      if (this.#ledger.drop(batch)) this.#refused(batch, kinds)
      return
    }
    // Before the replies: what is confirmed now can be relied on.
    if (renewalAskedAt !== undefined) this.lease.renewed(renewalAskedAt)
    // Registrations say nothing of what is stored.
    if (this.level.isNone || batch.operations.every(({ standing }) => standing))
      return this.#answered(batch, kinds, reply)
    batch.held = true
    this.level.after(
      () => this.#answeredLate(batch, kinds, reply, false),
      () => this.#answeredLate(batch, kinds, reply, true),
    )
  }

  #answeredLate(batch: Batch, kinds: string, reply: readonly Buffer[], isMissed: boolean): void {
    this.#answered(batch, kinds, reply, isMissed)
    this.#turn()
  }

  /** `isMissed`: too few replicas have what the batch wrote. */
  #answered(batch: Batch, kinds: string, reply: readonly Buffer[], isMissed = false): void {
    if (!this.#ledger.drop(batch)) return
    const now = Number(reply[1]!.toString('latin1'))
    this.clock.heard(now)
    let at = 2
    for (let i = 0; i < batch.operations.length; i++) {
      const kind = kinds[i]!
      const values = VALUE_COUNTS[kind] ?? 0
      const operation = batch.operations[i]!
      if (isMissed && !operation.standing) operation.fail(unconfirmedError())
      else operation.reply(kind, values ? reply.slice(at, at + values) : NO_VALUES, now)
      at += values
    }
  }

  #refused(batch: Batch, why: string): void {
    if (why === REFUSAL.dataNewer || why === REFUSAL.dataOlder) {
      for (const operation of batch.operations) operation.fail(layoutError(why))
      return
    }
    // This very sending has not run, and it was the only one that may have.
    const surelyNotRun = batch.sent === 1 && (why === REFUSAL.presence || why === REFUSAL.unrecorded)
    // Nobody was told of its effects: every process of this level waits for the replicas before it acts on a push.
    const wasUntold = why === REFUSAL.unrecorded && this.#hasSurvived && !this.level.isNone
    const again: Queued[] = []
    for (const operation of batch.operations) {
      if (operation.standing) operation.fail(new SpaceError('SPACE_UNREACHABLE'))
      else if (surelyNotRun || (wasUntold && operation.redoable)) again.push(operation)
      else if (operation.repeatable) again.push({ ...operation, name: operation.again ?? operation.name })
      else operation.fail(new SpaceError('OUTCOME_UNKNOWN'))
    }
    this.#queue.addFirst(again, this.#flowing ? 0 : this.#againCount)
    this.#againCount += again.length
    if (why === REFUSAL.presence && this.#flowing) {
      this.#flowing = false
      this.#onPresenceLost()
    }
  }

  /** Fails operations that have waited for too long, and cuts a link without replies. */
  #look(): void {
    const now = monotonicMs()
    const { oldest } = this.#ledger
    if (this.#ledger.isEmpty && this.#queue.length === 0) {
      clearInterval(this.#watch)
      this.#watch = undefined
      return
    }
    if (this.#link && oldest && now - oldest.sentAt > REPLY_MS) this.#link.cut(`no reply for ${REPLY_MS} ms`)
    if (this.#refusal) this.#giveUpWaiting(now)
    if (this.#flowing) return
    this.#queue.failUnless(
      ({ since }) => now - since < GIVE_UP_MS,
      () => this.#unreachable(),
    )
    if (this.#link) return
    this.#ledger.failUnless(
      ({ operations }) => now - operations[0]!.since < GIVE_UP_MS,
      (operation, batch) => (isUncertain(operation, batch) ? new SpaceError('OUTCOME_UNKNOWN') : this.#unreachable()),
    )
  }
}

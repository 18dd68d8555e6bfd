/**
 * Presence: this process in the space. It holds all that it holds under the one lease of its presence.
 *
 * | state        | enters                                             | leaves                                       |
 * |--------------|----------------------------------------------------|----------------------------------------------|
 * | disconnected | at first; the link is down                         | link up → joining                            |
 * | joining      | a link is up; the space has declared the process   | done → settling; failed → the link is cut;   |
 * |              | dead (push, beat or refused batch): `join` opens   | refused for good → also rejects `ready`      |
 * |              | the presence or finds it                           |                                              |
 * | settling     | the presence is known to be found again, or to be  | all are settled → syncing; failed → the link |
 * |              | new: unanswered batches are sent again, or only    | is cut                                       |
 * |              | asked about                                        |                                              |
 * | syncing      | `sync` is sent with all claims that the process    | reply → flowing; failed → the link is cut    |
 * |              | knows to hold                                      |                                              |
 * | flowing      | waits, offers and registrations are requested      | declared dead, pushes lost, or the space     |
 * |              | anew, then new batches go out; beats begin;        | knows other holdings → joining; no reply to  |
 * |              | `ready` resolves                                   | a beat → the link is cut                     |
 * | leaving      | leave(): beats end, and a declaration of death is  | close() → disconnected, for good             |
 * |              | ignored                                            |                                              |
 *
 * In every state, the process counts the lease on its own clock (wire/presence-lease.ts). Before it can have ended in
 * the space, the holders of its claims are told; from then on each new delivery is asked about, until a renewal has its
 * reply.
 *
 * A cut link leads from every state to disconnected. Deliveries that arrive in any state before flowing are ignored:
 * the sync puts them back. The beats of a quiet space go round its processes, so that some process notices a death.
 */
import { SpaceError } from '../../errors.js'
import type { Logger } from '../../log.js'
import { Agreement } from './agreement.js'
import type { Holdings } from './holdings.js'
import { MODE, SHARED } from './protocol.js'
import type { Batches } from './wire/batches.js'
import type { Link } from './wire/link.js'
import type { Operation } from './wire/operation.js'
import { reactionTo } from './wire/reactions.js'
import { foreignKeyError, layoutError } from './wire/refusal.js'

const RENEW_MS = SHARED.presenceLeaseMs / 3
const BEAT_ANSWER_MS = 3_000
const NEXT_TRY_MS = 500
/** Lost pushes are noticed within this. */
const LONGEST_PAUSE_MS = 700

export class Presence {
  readonly id: string
  readonly #batches: Batches
  readonly #holdings: Holdings
  /** Notes the number of the last push before a beat. Returns false if not all have arrived. */
  readonly #allArrived: (pushed: number) => boolean
  readonly #logger: Logger
  readonly #agreement: Agreement
  #link: Link | undefined
  /** Server history and presence to which all unanswered batches belong: no other history knows their numbers. */
  #settled: string | undefined
  /** The birth of the presence: one that is found again in another history has all replies that this history has. */
  #born: string | undefined
  #beatTimer: NodeJS.Timeout | undefined
  #leaseTimer: NodeJS.Timeout | undefined
  /** No sync has been answered since the last join: it puts back deliveries, so they must not be acted on. */
  #syncing = true
  #leaving = false
  /** The presence was created anew since the last sync. */
  #afresh = false
  #joins = 0
  #gaps = 0
  #onReady: (() => void) | undefined
  #onRefused: ((error: Error) => void) | undefined

  constructor(
    id: string,
    batches: Batches,
    holdings: Holdings,
    allArrived: (pushed: number) => boolean,
    logger: Logger,
  ) {
    this.id = id
    this.#batches = batches
    this.#holdings = holdings
    this.#allArrived = allArrived
    this.#agreement = new Agreement(() => holdings.known())
    this.#logger = logger
  }

  /** Resolves when the presence is in the space for the first time; rejects if it never can be. */
  readonly ready = new Promise<void>((resolve, reject) => {
    this.#onReady = resolve
    this.#onRefused = reject
  })

  get syncing(): boolean {
    return this.#syncing
  }

  /** How often the presence was synced again after the first time. */
  get reconnects(): number {
    return Math.max(this.#joins - 1, 0)
  }

  /** How often pushes were lost, or the process and the space disagreed on what it holds. */
  get gaps(): number {
    return this.#gaps
  }

  get connected(): boolean {
    return this.#link !== undefined && !this.#syncing
  }

  up(link: Link): void {
    this.#link = link
    void this.#join(link)
  }

  down(): void {
    this.#link = undefined
    this.#syncing = true
    clearTimeout(this.#beatTimer)
    this.#batches.down()
  }

  /** Joins again after the space wrongly took this process for dead; the space has given back all that it held. */
  lost(): void {
    this.#joinAgain('the space took this process for dead; joining again')
  }

  /** Joins again, which keeps what the process holds: pushes were lost on a link that is up, or keys were deleted. */
  outOfStep(reason: string): void {
    if (!this.#syncing && !this.#leaving) this.#gaps++
    this.#joinAgain('this process and the space disagree on what it holds; joining again', { reason })
  }

  #joinAgain(why: string, fields: object = {}): void {
    const link = this.#link
    if (!link || this.#syncing || this.#leaving) return
    this.#logger.warn({ presence: this.id, ...fields }, why)
    this.#syncing = true
    clearTimeout(this.#beatTimer)
    this.#batches.down()
    void this.#join(link)
  }

  /** Ends the beats; from here on, lost() does not join again. */
  leave(): void {
    this.#leaving = true
    clearTimeout(this.#beatTimer)
  }

  close(): void {
    this.leave()
    clearTimeout(this.#leaseTimer)
    this.#link = undefined
  }

  async #join(link: Link): Promise<void> {
    try {
      const { run } = link.server
      const askedAt = this.#batches.lease.asked()
      const [answer, , born] = await link.batch([this.id, '0', run, MODE.join, MODE.join])
      const refusal = answer!.toString('latin1')
      if (refusal.startsWith('!')) throw layoutError(refusal)
      this.#batches.lease.renewed(askedAt)
      const found = `${run} ${born}`
      const known = found === this.#settled
      await this.#batches.settle(link, known, this.#born === String(born))
      if (this.#link !== link) return
      if (!known) this.#afresh = true
      this.#settled = found
      this.#born = String(born)
      await this.#sync(link)
    } catch (error) {
      const refused = refusalOf(error as Error)
      if (refused) this.#onRefused?.(refused)
      if (refused?.code === 'DATA_DAMAGED') await this.#untilNextTry()
      if (this.#link === link) link.cut((error as Error).message)
    }
  }

  async #sync(link: Link): Promise<void> {
    const claims = this.#holdings.claims()
    const synced = new Promise<void>((resolve, reject) => {
      const operation: Operation = {
        name: 'sync',
        args: [claims.join(' ')],
        repeatable: true,
        standing: true,
        reply: () => resolve(),
        fail: reject,
      }
      this.#batches.first(operation)
    })
    await synced
    if (this.#link !== link) return
    this.#syncing = false
    this.#joins++
    const afresh = this.#afresh
    this.#afresh = false
    this.#batches.flow(() => this.#holdings.askAnew(afresh))
    this.#onReady?.()
    this.#watchLease()
    this.#beatIn(link, 0)
  }

  /** A new link would meet the same data. */
  #untilNextTry(): Promise<void> {
    this.#batches.unusable()
    return new Promise((resolve) => {
      this.#beatTimer = setTimeout(resolve, NEXT_TRY_MS)
    })
  }

  /** One timer for many renewals: it is set again when it fires too early. */
  #watchLease(): void {
    if (this.#leaving || this.#leaseTimer) return
    const { remainingMs } = this.#batches.lease
    if (remainingMs > 0) {
      this.#leaseTimer = setTimeout(() => {
        this.#leaseTimer = undefined
        this.#watchLease()
      }, remainingMs + 1).unref()
      return
    }
    this.#logger.warn({ presence: this.id }, 'the lease of this process was not renewed in time: its handlers are told')
    this.#holdings.leaseEnded()
  }

  #beatIn(link: Link, ms: number): void {
    clearTimeout(this.#beatTimer)
    if (this.#leaving) return
    this.#beatTimer = setTimeout(() => void this.#beat(link), ms)
  }

  async #beat(link: Link): Promise<void> {
    if (this.#link !== link) return
    const { lease } = this.#batches
    const askedAt = lease.askedWithin(RENEW_MS) ? undefined : lease.asked()
    const bound = setTimeout(() => link.cut(`no beat for ${BEAT_ANSWER_MS} ms`), BEAT_ANSWER_MS)
    try {
      this.#holdings.report()
      const sent = this.#batches.sent
      const isQuiet = this.#batches.queued === 0
      const { next, now, pushed, known } = await link.beat([
        this.id,
        link.server.run,
        askedAt === undefined ? '0' : '1',
      ])
      this.#batches.clock.heard(now)
      if (this.#link !== link) return
      if (next < 0) return this.lost()
      if (askedAt !== undefined) lease.renewed(askedAt)
      this.#watchLease()
      // What is asked and not yet sent counts here already, and not there.
      const wasQuiet = isQuiet && this.#batches.sent === sent && this.#batches.queued === 0
      const difference = this.#agreement.difference(known, wasQuiet)
      if (!this.#allArrived(pushed)) this.outOfStep('pushes were lost')
      else if (difference) this.outOfStep(difference)
      else this.#beatIn(link, Math.min(next, LONGEST_PAUSE_MS))
    } catch (error) {
      const isDamaged = refusalOf(error as Error)?.code === 'DATA_DAMAGED'
      if (isDamaged) this.#batches.unusable()
      // A server that refuses calls for now has answered: the link lives.
      const isAnswered = isDamaged || reactionTo(error as Error)?.next === 'again'
      if ((error as Error).name === 'ReplyError' && !isAnswered) link.cut((error as Error).message)
      else this.#beatIn(link, NEXT_TRY_MS)
    } finally {
      clearTimeout(bound)
    }
  }
}

/** Returns the error if no further attempt can succeed; null if one may. */
function refusalOf(error: Error): SpaceError | null {
  if (error instanceof SpaceError) return error.retryable ? null : error
  const foreign = foreignKeyError(error)
  if (foreign) return foreign
  const denied = /NOPERM|can't run this command|can't access at least one of the keys/.test(error.message)
  return denied ? new SpaceError('REDIS_REFUSED', error.message, { cause: error }) : null
}

/**
 * Presence: this process in the space. Everything it holds is held under its one lease; a new link finds the presence again and settles
 * what was unclear; a quiet process calls once in a while, in turn with the others, so that a death is noticed by somebody.
 *
 *   link up → hello (opens the presence or finds it) → settle unanswered batches → sync claims and outcomes → waits ask anew → flow
 */
import { SpaceError } from '../../errors.js'
import type { Logger } from '../../log.js'
import { MODE } from './protocol.js'
import { type Batches, layoutError } from './wire/batches.js'
import type { Link } from './wire/connection.js'
import type { Operation } from './wire/operation.js'

export interface Holdings {
  /** Every claim this process knows to hold. */
  claims(): string[]
  /** Waits and offers register again. `afresh`: what the space was to tell this process meanwhile, it may have told nobody. */
  askAnew(afresh: boolean): void
  /** What would otherwise wait for the next batch is said now. */
  report(): void
}

const RENEW_MS = 5_000
const BEAT_ANSWER_MS = 3_000
const NEXT_TRY_MS = 500

export class Presence {
  readonly id: string
  readonly #batches: Batches
  readonly #holdings: Holdings
  readonly #logger: Logger
  #link: Link | undefined
  /** The history of the server, and the presence in it, to which all that is unanswered belongs. Another one knows nothing of that. */
  #settled: string | undefined
  #beatTimer: NodeJS.Timeout | undefined
  /** Deliveries that arrive before a sync is answered are put back by it, so they must not be acted on. */
  #syncing = true
  #leaving = false
  /** The presence is another one than that which stood here last. */
  #afresh = false
  #joins = 0
  #onReady: (() => void) | undefined
  #onRefused: ((error: Error) => void) | undefined

  constructor(id: string, batches: Batches, holdings: Holdings, logger: Logger) {
    this.id = id
    this.#batches = batches
    this.#holdings = holdings
    this.#logger = logger
  }

  /** Resolves when the presence stands in the space for the first time; rejects when it never can. */
  readonly ready = new Promise<void>((resolve, reject) => {
    this.#onReady = resolve
    this.#onRefused = reject
  })

  get syncing(): boolean {
    return this.#syncing
  }

  /** How often it has come back. */
  get reconnects(): number {
    return Math.max(this.#joins - 1, 0)
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

  /** The space took this process for dead, wrongly. It joins again as a new one; what it held has been given back. */
  lost(): void {
    const link = this.#link
    if (!link || this.#syncing || this.#leaving) return
    this.#logger.warn({ presence: this.id }, 'the space took this process for dead; joining again')
    this.#syncing = true
    clearTimeout(this.#beatTimer)
    this.#batches.down()
    void this.#join(link)
  }

  /** It is about to take its leave of the space: from here on it does not join again. */
  leave(): void {
    this.#leaving = true
    clearTimeout(this.#beatTimer)
  }

  close(): void {
    this.leave()
    this.#link = undefined
  }

  async #join(link: Link): Promise<void> {
    try {
      const { run } = link.server
      const [answer, , born] = await link.batch([this.id, '0', run, MODE.join, MODE.join])
      const refusal = answer!.toString('latin1')
      if (refusal.startsWith('!')) throw layoutError(refusal)
      this.#batches.renewed()
      const found = `${run} ${born}`
      const known = found === this.#settled
      await this.#batches.settle(link, known)
      if (this.#link !== link) return
      if (!known) this.#afresh = true
      this.#settled = found
      await this.#sync(link)
    } catch (error) {
      const refused = refusalOf(error as Error)
      if (refused) this.#onRefused?.(refused)
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
    this.#beatIn(link, 0)
  }

  #beatIn(link: Link, ms: number): void {
    clearTimeout(this.#beatTimer)
    if (this.#leaving) return
    this.#beatTimer = setTimeout(() => void this.#beat(link), ms)
  }

  async #beat(link: Link): Promise<void> {
    if (this.#link !== link) return
    const renew = !this.#batches.renewedWithin(RENEW_MS)
    const bound = setTimeout(() => link.cut(`no beat for ${BEAT_ANSWER_MS} ms`), BEAT_ANSWER_MS)
    try {
      this.#holdings.report()
      const [next, now] = await link.beat([this.id, link.server.run, renew ? '1' : '0'])
      this.#batches.clock.heard(now)
      if (renew) this.#batches.renewed()
      if (this.#link !== link) return
      if (next < 0) this.lost()
      else this.#beatIn(link, Math.min(next, RENEW_MS))
    } catch (error) {
      if ((error as Error).name === 'ReplyError') link.cut((error as Error).message)
      else this.#beatIn(link, NEXT_TRY_MS)
    } finally {
      clearTimeout(bound)
    }
  }
}

/** What no further attempt will change. */
function refusalOf(error: Error): SpaceError | null {
  if (error instanceof SpaceError) return error.retryable ? null : error
  const denied = /NOPERM|can't run this command|can't access at least one of the keys/.test(error.message)
  return denied ? new SpaceError('REDIS_REFUSED', error.message, { cause: error }) : null
}

/**
 * The life of one turn: a worker holds a request, runs its app, and responds.
 *
 *     taken ─▶ in time? ─▶ started (if it may not run twice, or is in doubt) ─▶ handled ─▶ settled ─▶ logged
 *
 * A turn has one ending, the first that comes:
 *
 * | ending   | cause                                               | its handler                 | the space is told      |
 * |----------|-----------------------------------------------------|-----------------------------|------------------------|
 * | answered | the handler returned a response                     | has ended                   | complete               |
 * | failed   | the handler threw, or its response is invalid       | has ended                   | complete with 500, 502 |
 * | failed   | the handler did not catch an error (crash.ts)       | cut, not waited for         | complete with 500      |
 * | late     | the deadline has passed                             | cut, waited for GRACE_MS    | complete with 504      |
 * | lost     | the space has ended the claim, or may have          | cut, waited for GRACE_MS    | release                |
 * | stopped  | the worker stops and waits no longer                | cut, not waited for         | release, else 502      |
 *
 * To cut a turn is to fire its signal; the result of its handler is dropped. A handler that runs on after GRACE_MS is
 * an overrun handler (overrun.ts). Whatever the ending, the turn settles with the space once, because that returns the
 * credit for the next request. A lost turn has no outcome: if the claim is still valid, another holder may follow.
 */
import type { OpenSpan, Tracing } from '../src/admin/spans.js'
import { monotonicMs, wallMs } from '../src/clock.js'
import { isSpaceError, SpaceError } from '../src/errors.js'
import type { Logger } from '../src/log.js'
import type { Sink } from '../src/request/streams/collector.js'
import { clientOf, type HeldRequest, type HttpResponse, type ResponseHead } from '../src/request.js'
import type { Ending, WorkerCounters } from '../src/runtime/counters.js'
import type { Deadlines } from '../src/runtime/deadlines.js'
import type { Placed } from '../src/runtime/in-flight.js'
import type { Transaction } from '../src/space/transaction.js'
import { restIn, runCurrent, runCutListeners } from './current.js'
import { type CurrentRequest, type Handler, responseOfFailure, type TurnContext } from './handler.js'
import type { Overrun, OverrunHandlers, Overrunning } from './overrun.js'
import { BAD, FAILED, LATE, NO_OUTCOME, STOPPED, sealed } from './response.js'
import { settle } from './settle.js'
import { StreamedAnswer } from './streamed-answer.js'

/** How long a cut turn keeps its slot for a handler that still runs. A handler that heeds its signal needs less. */
const GRACE_MS = 1_000
/**
 * A claim that is lost so shortly before the deadline counts as lost to the deadline: a busy worker is handed its
 * requests that late.
 */
const DEADLINE_SPREAD_MS = 1_000

/** Characters of a path in a log line. */
const PATH_LENGTH = 200

/** The log, counters, timers and spans of the turns of a worker. */
export interface TurnMonitor {
  readonly logger: Logger
  readonly counters: WorkerCounters
  readonly overrun: OverrunHandlers
  readonly deadlines: Pick<Deadlines, 'watch'>
  readonly tracing?: Tracing | undefined
}

export class Turn implements TurnContext, Placed, Overrunning {
  place = -1
  readonly id: string
  readonly entryId: string
  readonly service: string
  readonly priority: number
  readonly attempt: number
  /** ms since 1970; Infinity while the request body is still being received. */
  deadline: number
  /** The deadline, then the end of the grace, on the monotonic clock; Infinity once nothing is waited for. */
  dueAt: number
  onCut: ((reason: Error) => void) | undefined
  route: string | undefined
  /** The request may have been given to another process: the space is asked first, although it may run twice. */
  isDoubtful = false

  readonly #held: HeldRequest
  readonly #handle: Handler
  readonly #monitor: TurnMonitor
  readonly takenAt = monotonicMs()
  #started = false
  /** True while the handler runs. */
  #running = false
  /** True while the turn waits for its handler. */
  #waiting = false
  #crashed = false
  #overrun: Overrun | undefined
  /** Cut well before its deadline, in most cases because the client has left. */
  #departed = false
  #ending: Ending | undefined
  #response: HttpResponse = FAILED
  #reason: Error | undefined
  #controller: AbortController | undefined
  #onEnded: (() => void) | undefined
  #span: OpenSpan | undefined
  /** Set if the request's body or the answer is streamed. */
  #streams: StreamedAnswer | undefined

  constructor(held: HeldRequest, handle: Handler, monitor: TurnMonitor) {
    this.id = held.request.id ?? held.id
    this.entryId = held.id
    this.service = held.service
    this.priority = held.priority
    this.attempt = held.attempt
    this.deadline = wallMs() + held.remainingMs
    this.dueAt = this.takenAt + held.remainingMs
    this.#held = held
    this.#handle = handle
    this.#monitor = monitor
    // The deadline counts from the end of the request's body, as in the gateway.
    if (held.request.more) this.dueAt = this.deadline = Number.POSITIVE_INFINITY
  }

  get isTraced(): boolean {
    return this.#span !== undefined
  }

  get method(): string {
    return this.#held.request.method
  }

  /** True for a connection of another protocol. */
  get isUpgraded(): boolean {
    return this.#held.request.more === 'upgrade'
  }

  /** The path without its query, which may be private. */
  get path(): string {
    const { target } = this.#held.request
    const query = target.indexOf('?')
    return target.slice(0, query < 0 ? PATH_LENGTH : Math.min(query, PATH_LENGTH))
  }

  /**
   * Runs the turn, from taken to settled; `onEnded` is called then. Never throws. By calls rather than promises: while
   * AsyncLocalStorage is in use, each promise of a turn costs about as much as the rest of its step.
   */
  run(onEnded: () => void): void {
    this.#onEnded = onEnded
    this.#held.onLost = () => this.#lose()
    this.#span = this.#monitor.tracing?.turn(this, this.#held.request)
    if (this.#held.remainingMs <= 0) this.overdue()
    const { repeatable, request, isDoubtful } = this.#held
    const mayRun = repeatable && !request.more && !this.isDoubtful && !isDoubtful
    if (this.#ending !== undefined) this.#settle()
    else if (mayRun) this.#handleIt()
    else void this.#start().then((isStarted) => (isStarted ? this.#handleIt() : this.#settle()))
  }

  /** Asks the space whether the handler may start. */
  async #start(): Promise<boolean> {
    try {
      let isHeld = await this.#held.start()
      // The reply is as old as a freeze of this process, in which another worker may have been given the request.
      while (isHeld && this.#held.isDoubtful && this.#ending === undefined && !this.#held.request.more) {
        isHeld = await this.#held.start()
      }
      if (isHeld && !this.#held.isDoubtful) {
        this.#followBody()
        return this.#ending === undefined
      }
      this.#lose()
    } catch (error) {
      // Nothing has run, so a worker that still reaches the space can have the request.
      this.#monitor.logger.warn(
        { id: this.id, err: error },
        'the start of a request could not be reported; the request is returned',
      )
      this.#cut('stopped', error as Error, STOPPED)
    }
    return false
  }

  /** Runs the handler. The turn is settled when it has an ending and no longer waits for its handler. */
  #handleIt(): void {
    this.#waiting = true
    this.#started = true
    this.#running = true
    const response = this.#span ? this.#span.run(() => this.#run()) : this.#run()
    response.then(this.#answered, this.#failed)
  }

  #run(): Promise<HttpResponse> {
    return runCurrent(this, this.#handle, this.#held.request)
  }

  readonly #answered = (response: HttpResponse): void => {
    this.#running = false
    // A handler that blocks the event loop delays the timer of its deadline too.
    if (this.#ending === undefined && monotonicMs() >= this.dueAt) this.overdue()
    if (this.#ending !== undefined) return this.#finish()
    try {
      this.#response = this.#streams?.isStarted
        ? this.#streams.complete(response)
        : sealed(response, this.#held.request.method)
      this.#ending = 'answered'
      this.#finish()
    } catch (error) {
      this.#failed(error)
    }
  }

  readonly #failed = (error: unknown): void => {
    this.#running = false
    if (this.#ending !== undefined) {
      this.tooLate(error)
      return this.#finish()
    }
    this.#response = isSpaceError(error, 'BAD_RESPONSE') ? BAD : FAILED
    this.#monitor.logger.error({ id: this.id, service: this.service, err: error }, 'the handler failed')
    this.#ending = 'failed'
    this.#finish()
  }

  startResponse(head: ResponseHead): Sink {
    this.#streams ??= new StreamedAnswer(this.#held)
    const sink = this.#streams.start(head)
    // The deadline ends with the first byte, except for stored responses, which count as answered only when complete.
    if (this.#streams.isStarted && !this.#held.isKept) this.dueAt = Number.POSITIVE_INFINITY
    sink.onUnwanted = () => this.#lose()
    return sink
  }

  #followBody(): void {
    const { request, remainingMs, waitedMs } = this.#held
    if (!request.rest) return
    const onEnd = (): void => {
      if (this.#ending !== undefined || this.#streams?.isStarted) return
      this.deadline = wallMs() + remainingMs + waitedMs
      this.dueAt = monotonicMs() + remainingMs + waitedMs
      this.#monitor.deadlines.watch(this)
    }
    this.#streams ??= new StreamedAnswer(this.#held)
    request.rest = restIn(this, this.#streams.counted(request.rest, onEnd))
  }

  /** Called when `dueAt` has passed. If that was the deadline, the gateway has answered 504 by itself. */
  overdue(): void {
    if (this.#ending === undefined) this.#cut('late', new SpaceError('REQUEST_TIMEOUT'), LATE)
    else if (this.#running && this.dueAt !== Number.POSITIVE_INFINITY) this.#overran()
  }

  /** Called when the worker stops and waits no longer. */
  stop(): void {
    if (this.#ending === undefined) {
      this.#cut('stopped', new DOMException('The worker was stopped.', 'AbortError'), STOPPED)
    }
    this.#finish()
  }

  fail(error: unknown): boolean {
    // A handler may throw again, from a timer for example. Once is enough to say.
    if (this.#crashed) return true
    if (this.#ending !== undefined) return false
    this.#crashed = true
    this.#monitor.logger.error({ id: this.id, service: this.service, err: error }, 'the handler did not catch an error')
    const reason = error instanceof Error ? error : new Error('The handler did not catch an error.', { cause: error })
    this.#cut('failed', reason, responseOfFailure(this.#handle, this.#held.request, error) ?? FAILED)
    this.#finish()
    return true
  }

  #lose(): void {
    this.#cut('lost', new SpaceError('CLAIM_LOST'), NO_OUTCOME)
  }

  #cut(ending: Ending, reason: Error, response: HttpResponse): void {
    if (this.#ending !== undefined) return
    this.#ending = ending
    this.#reason = reason
    this.#response = response
    if (this.#held.responseStarted) this.#held.breakOff()
    if (this.#controller || this.onCut) {
      runCutListeners(this, () => {
        this.#controller?.abort(reason)
        this.onCut?.(reason)
      })
    }
    if (!this.#running) return this.#finish()
    const now = monotonicMs()
    this.#departed = ending === 'lost' && now < this.dueAt - DEADLINE_SPREAD_MS
    this.dueAt = now + GRACE_MS
    this.#monitor.deadlines.watch(this)
  }

  #overran(): void {
    this.#overrun = this.#monitor.overrun.add(this)
    if (this.#departed)
      this.#monitor.logger.debug(this.#described(), 'the client disconnected, and the handler has not ended')
    else this.runsOn()
    this.#finish()
  }

  runsOn(): void {
    if (!this.#overrun || this.#overrun.counted) return
    this.#overrun.counted = true
    this.#monitor.counters.overrunHandlers++
    this.#monitor.logger.warn(this.#described(), 'the handler runs on although its request is over')
  }

  #described(): object {
    const { id, service, method, path } = this
    return { id, service, method, path, ms: monotonicMs() - this.takenAt }
  }

  /** Ends the wait for the handler. */
  #finish(): void {
    this.dueAt = Number.POSITIVE_INFINITY
    if (this.#overrun && !this.#running) this.#monitor.overrun.remove(this.#overrun)
    if (!this.#waiting) return
    this.#waiting = false
    this.#settle()
  }

  #settle(): void {
    const held = this.#held
    const failed = (error: unknown): void => this.#settled(undefined, error)
    try {
      this.#streams?.stop()
      if (this.#ending === 'failed' && held.responseStarted) held.breakOff()
      const uncommitted = (error: unknown): HttpResponse => this.#uncommitted(error)
      settle(held, this.#ending as Ending, this.#started, this.#response, uncommitted).then(
        (accepted) => this.#settled(accepted),
        failed,
      )
    } catch (error) {
      failed(error)
    }
  }

  /** The turn has failed: its effects are undone, and its client is told. */
  #uncommitted(error: unknown): HttpResponse {
    this.#response = FAILED
    this.#ending = 'failed'
    this.#monitor.logger.error({ id: this.id, err: error }, 'the transaction of the request was not committed')
    return FAILED
  }

  /** `error`: why the space could not be told. */
  #settled(accepted: unknown, error?: unknown): void {
    const { id, attempt } = this
    const { counters, logger } = this.#monitor
    if (error !== undefined) logger.warn({ id, attempt, err: error }, 'the answer did not reach the space')
    else if (accepted === false && this.#ending === 'answered') {
      counters.refused++
      logger.warn({ id, attempt }, 'the answer was refused: the space had ended the claim')
    }
    this.#recordOutcome()
    this.#onEnded?.()
  }

  #recordOutcome(): void {
    const { id, service, attempt } = this
    const { counters, logger } = this.#monitor
    const { status } = this.#response
    const ending = this.#ending as Ending
    const ms = monotonicMs() - this.takenAt
    counters.ended(service, ending, status, ms)
    if (attempt > 1) counters.redelivered++
    this.#span?.end(status, { ending, route: this.route })
    logger.debug({ id, service, attempt, status, ms }, ending)
  }

  get wasCut(): boolean {
    return this.#reason !== undefined
  }

  /** Made when first read: most handlers never look at it. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#reason) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  get transaction(): Transaction {
    return this.#held.transaction
  }

  get client(): CurrentRequest['client'] {
    return clientOf(this.#held.request)
  }

  progress(report: Buffer): Promise<void> {
    return this.#held.progress(report)
  }

  tooLate(error: unknown): void {
    const { logger } = this.#monitor
    const fields = { id: this.id, service: this.service, err: error }
    // A handler that heeds its signal ends by throwing, as intended.
    if (this.wasCut) logger.debug(fields, 'the handler ended after its turn had been cut')
    else logger.warn(fields, 'the handler failed after it had answered')
  }
}

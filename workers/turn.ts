/**
 * The life of one turn, top to bottom: a worker holds a request, runs its app, and answers.
 *
 *     taken ─▶ still in time? ─▶ started (if it may not run twice, or in doubt) ─▶ handled ─▶ settled ─▶ logged
 *
 * A turn has one ending, the first that comes. `answered` and `failed` are the handler's; `late` (its deadline), `lost` (the space gave
 * the request to another, or dropped it) and `stopped` (the worker's patience ended) cut it short: its signal fires, and whatever its
 * handler still returns is dropped. After `late` and `lost` the turn waits until its handler has ended too, but no longer than a grace;
 * a handler that has not ended by then is an overrun handler (overrun.ts). Whatever the ending, the turn settles with the space
 * once, because that gives the credit back: its slot is free for the next request.
 */
import type { OpenSpan, Tracing } from '../src/admin/spans.js'
import { monotonicMs, wallMs } from '../src/clock.js'
import { isSpaceError, SpaceError } from '../src/errors.js'
import type { Logger } from '../src/log.js'
import type { Sink } from '../src/request/streams/collector.js'
import type { HeldRequest, HttpResponse, ResponseHead } from '../src/request.js'
import type { Ending, WorkerCounters } from '../src/runtime/counters.js'
import type { Placed } from '../src/runtime/in-flight.js'
import type { Transaction } from '../src/space/transaction.js'
import { clientOf, runCurrent } from './current.js'
import type { Deadlines } from './deadlines.js'
import type { CurrentRequest, Handler, TurnContext } from './handler.js'
import type { Overrun, OverrunHandlers, Overrunning } from './overrun.js'
import { BAD, FAILED, LATE, STOPPED, STREAMED, sealed, sealedHead, sealedTrailers } from './response.js'

/** How long a turn that was cut keeps its slot for a handler that has still to end. One that heeds its signal needs less. */
const GRACE_MS = 1_000
/** A claim lost so shortly before its deadline counts as lost to the deadline: a busy worker is handed its requests that much too late. */
const DEADLINE_SPREAD_MS = 1_000

/** A turn with a stream keeps its place for so long, and only as long as so much moves in each of these. */
const RELEASE_SLOT_AFTER_MS = 250
const LOOK_MS = 50
const BUSY_BYTES = 32_768
/** Of a path, as much as a log line shows. */
const PATH_LENGTH = 200

/** Who looks on. */
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
  readonly service: string
  readonly priority: number
  readonly attempt: number
  /** Of a request that still comes: none until it is all here. */
  deadline: number
  /** Its deadline, then the end of its grace, on the monotonic clock; Infinity once nothing more is waited for. */
  dueAt: number
  onCut: ((reason: Error) => void) | undefined
  /** It may have been given to another process meanwhile: the space is asked first, although it may run twice. */
  isDoubtful = false

  readonly #taken: HeldRequest
  readonly #handle: Handler
  readonly #monitor: TurnMonitor
  readonly takenAt = monotonicMs()
  #started = false
  /** Whether its handler has begun and not ended. */
  #running = false
  #overrun: Overrun | undefined
  /** Cut well before its deadline, in most cases because the client has left. */
  #departed = false
  #ending: Ending | undefined
  #response: HttpResponse = FAILED
  #reason: Error | undefined
  #controller: AbortController | undefined
  #wake: (() => void) | undefined
  #span: OpenSpan | undefined
  /** Of an answer that goes out as it is written: where to, where its body begins there, and the length that it announced. */
  #stream:
    | {
        readonly sink: Sink
        readonly status: number
        readonly from: number
        readonly announced: number | undefined
      }
    | undefined
  #slotTimer: NodeJS.Timeout | undefined
  /** Bytes of the request that came bit by bit. */
  #read = 0

  constructor(taken: HeldRequest, handle: Handler, monitor: TurnMonitor) {
    this.id = taken.id
    this.service = taken.service
    this.priority = taken.priority
    this.attempt = taken.attempt
    this.deadline = wallMs() + taken.remainingMs
    this.dueAt = this.takenAt + taken.remainingMs
    this.#taken = taken
    this.#handle = handle
    this.#monitor = monitor
    if (taken.request.more) this.#awaitAll()
  }

  get method(): string {
    return this.#taken.request.method
  }

  /** Whether its connection is another protocol's. */
  get isUpgraded(): boolean {
    return this.#taken.request.more === 'upgrade'
  }

  /** Without its query, which may hold what is nobody's business. */
  get path(): string {
    const { target } = this.#taken.request
    const query = target.indexOf('?')
    return target.slice(0, query < 0 ? PATH_LENGTH : Math.min(query, PATH_LENGTH))
  }

  /** From taken to settled. Never rejects. */
  async run(): Promise<void> {
    this.#taken.onLost = () => this.#cut('lost', new SpaceError('CLAIM_LOST'), LATE)
    this.#span = this.#monitor.tracing?.turn(this.id, this.service, this.attempt, this.#taken.request)
    if (this.#taken.remainingMs <= 0) this.overdue()
    const mayRun = this.#taken.repeatable && !this.#taken.request.more && !this.isDoubtful
    if (this.#ending === undefined && (mayRun || (await this.#start()))) await this.#handled()
    await this.#settle()
    this.#recordOutcome()
  }

  /** The space hears that the handler is about to begin; only if it agrees does it. */
  async #start(): Promise<boolean> {
    try {
      if (await this.#taken.start()) {
        this.#untilAll()
        return this.#ending === undefined
      }
      this.#cut('lost', new SpaceError('CLAIM_LOST'), LATE)
    } catch (error) {
      // Nothing has run, so the request can go to a worker that still reaches the space.
      this.#monitor.logger.warn(
        { id: this.id, err: error },
        'the space did not hear of the start, the request is given back',
      )
      this.#cut('stopped', error as Error, STOPPED)
    }
    return false
  }

  /** Resolves when the turn has its ending and no longer waits for its handler. */
  #handled(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
      this.#started = true
      this.#running = true
      const response = this.#span ? this.#span.run(() => this.#run()) : this.#run()
      response.then(this.#answered, this.#failed)
    })
  }

  #run(): Promise<HttpResponse> {
    return runCurrent(this, this.#handle, this.#taken.request)
  }

  readonly #answered = (response: HttpResponse): void => {
    this.#running = false
    // A handler that kept the event loop to itself has kept the timer of its deadline from firing, too.
    if (this.#ending === undefined && monotonicMs() >= this.dueAt) this.overdue()
    if (this.#ending !== undefined) return this.#finish()
    try {
      this.#response = this.#stream ? this.#streamed(response) : sealed(response, this.#taken.request.method)
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
    const sealed = sealedHead(head)
    const sink = this.#taken.startResponse(sealed)
    if (head.status >= 200 || head.status === 101) {
      const length = sealed.headers.findIndex((field, i) => i % 2 === 0 && field.toLowerCase() === 'content-length')
      const announced = length < 0 ? undefined : Number(sealed.headers[length + 1])
      this.#stream = { sink, status: head.status, from: sink.written, announced }
      // It has been met; but one that is kept is not answered before all of it is there.
      if (!this.#taken.isKept) this.dueAt = Number.POSITIVE_INFINITY
    }
    sink.onUnwanted = () => this.#cut('lost', new SpaceError('CLAIM_LOST'), LATE)
    this.#releaseSlotSoon()
    return sink
  }

  /** All was written. A body that is shorter than it said it would be must not look complete. */
  #streamed({ trailers }: HttpResponse): HttpResponse {
    const { sink, status, from, announced } = this.#stream!
    const length = sink.written - from
    if (announced !== undefined && announced !== length) {
      throw new SpaceError('BAD_RESPONSE', `It announced ${announced} bytes and has ${length}.`)
    }
    return { ...STREAMED, status, trailers: trailers && sealedTrailers(trailers) }
  }

  /** Its deadline is counted from when all of it is here, as its gateway counts. */
  #awaitAll(): void {
    this.deadline = Number.POSITIVE_INFINITY
    this.dueAt = Number.POSITIVE_INFINITY
  }

  #untilAll(): void {
    const { request, remainingMs, waitedMs } = this.#taken
    const { rest } = request
    if (!rest) return
    this.#releaseSlotSoon()
    const onEnd = (): void => {
      if (this.#ending !== undefined || this.#stream) return
      this.deadline = wallMs() + remainingMs + waitedMs
      this.dueAt = monotonicMs() + remainingMs + waitedMs
      this.#monitor.deadlines.watch(this)
    }
    request.rest = {
      ...rest,
      read: (reader) =>
        rest.read({
          ...reader,
          onChunk: (chunk) => {
            this.#read += chunk.length
            return reader.onChunk(chunk)
          },
          onEnd(trailers) {
            onEnd()
            reader.onEnd(trailers)
          },
        }),
    }
  }

  /** What waits for somebody else most of the time, or goes on for long, has its place given to another request. */
  #releaseSlotSoon(): void {
    if (this.#slotTimer) return
    const since = monotonicMs()
    let before = 0
    this.#slotTimer = setInterval(() => {
      const moved = this.#read + (this.#stream?.sink.written ?? 0)
      const waits = moved - before < BUSY_BYTES
      before = moved
      if (!waits && monotonicMs() - since < RELEASE_SLOT_AFTER_MS) return
      clearInterval(this.#slotTimer)
      this.#taken.releaseSlot()
    }, LOOK_MS).unref()
  }

  /** `dueAt` has passed. If it was its deadline, the gateway has told the client so by itself. */
  overdue(): void {
    if (this.#ending === undefined) this.#cut('late', new SpaceError('REQUEST_TIMEOUT'), LATE)
    else if (this.#running && this.dueAt !== Number.POSITIVE_INFINITY) this.#overran()
  }

  /** The worker does not wait for it any longer. */
  stop(): void {
    if (this.#ending === undefined) {
      this.#cut('stopped', new DOMException('The worker was stopped.', 'AbortError'), STOPPED)
    }
    this.#finish()
  }

  #cut(ending: Ending, reason: Error, response: HttpResponse): void {
    if (this.#ending !== undefined) return
    this.#ending = ending
    this.#reason = reason
    this.#response = response
    if (this.#taken.responseStarted) this.#taken.breakOff()
    this.#controller?.abort(reason)
    this.onCut?.(reason)
    if (!this.#running) return this.#finish()
    const now = monotonicMs()
    this.#departed = ending === 'lost' && now < this.dueAt - DEADLINE_SPREAD_MS
    this.dueAt = now + GRACE_MS
    this.#monitor.deadlines.watch(this)
  }

  #overran(): void {
    this.#overrun = this.#monitor.overrun.add(this)
    if (this.#departed)
      this.#monitor.logger.debug(this.#described(), 'the client has left, and the handler has not said that it ended')
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

  /** Nothing more is waited for. */
  #finish(): void {
    this.dueAt = Number.POSITIVE_INFINITY
    if (this.#overrun && !this.#running) this.#monitor.overrun.remove(this.#overrun)
    this.#wake?.()
  }

  async #settle(): Promise<void> {
    const { id, attempt } = this
    const taken = this.#taken
    clearInterval(this.#slotTimer)
    if (this.#ending === 'failed' && taken.responseStarted) taken.breakOff()
    try {
      // What has not run, or may run twice, another worker can have. What has run and may not is answered: better 502 now than 504 later.
      if (this.#ending === 'stopped' && (taken.repeatable || !this.#started)) return await taken.release()
      // After `late` and `lost` nobody waits for it: it is said for the credit that comes back with it.
      const accepted = await this.#complete()
      if (!accepted && this.#ending === 'answered') {
        this.#monitor.counters.refused++
        this.#monitor.logger.warn({ id, attempt }, 'the answer was refused: the space had ended the claim')
      }
    } catch (error) {
      this.#monitor.logger.warn({ id, attempt, err: error }, 'the answer did not reach the space')
    }
  }

  /** An answer whose transaction cannot be committed is a failure: nothing of it is so, and its client is told. */
  async #complete(): Promise<boolean> {
    try {
      return await this.#taken.complete(this.#response)
    } catch (error) {
      const uncommitted = isSpaceError(error, 'SPACE_FULL') || isSpaceError(error, 'TRANSACTION_ENDED')
      if (!uncommitted || !this.#taken.isTransacting) throw error
      this.#response = FAILED
      this.#ending = 'failed'
      this.#monitor.logger.error({ id: this.id, err: error }, 'the transaction of the request was not committed')
      return this.#taken.complete(this.#response)
    }
  }

  #recordOutcome(): void {
    const { id, service, attempt } = this
    const { counters, logger } = this.#monitor
    const { status } = this.#response
    const ending = this.#ending as Ending
    const ms = monotonicMs() - this.takenAt
    counters.endings[ending]++
    counters.time.observe(ms)
    if (attempt > 1) counters.redelivered++
    this.#span?.end(status, ending)
    logger.debug({ id, service, attempt, status, ms }, ending)
  }

  get wasCut(): boolean {
    return this.#reason !== undefined
  }

  /** Made when first asked for: most handlers never look at it. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#reason) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  get transaction(): Transaction {
    return this.#taken.transaction
  }

  get client(): CurrentRequest['client'] {
    return clientOf(this.#taken.request)
  }

  progress(report: Buffer): Promise<void> {
    return this.#taken.progress(report)
  }

  tooLate(error: unknown): void {
    const { logger } = this.#monitor
    const fields = { id: this.id, service: this.service, err: error }
    // A handler that heeds its signal ends by throwing; that is as it should be.
    if (this.wasCut) logger.debug(fields, 'the handler ended after its turn had been cut')
    else logger.warn(fields, 'the handler failed after it had answered')
  }
}

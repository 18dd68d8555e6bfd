/**
 * The life of one turn, top to bottom: a worker holds a request, runs its app, and answers.
 *
 *     taken ─▶ still in time? ─▶ started (if it may not run twice) ─▶ handled ─▶ settled ─▶ logged
 *
 * A turn has one ending, the first that comes. `answered` and `failed` are the handler's; `late` (its deadline), `lost` (the space gave
 * the request to another, or dropped it) and `stopped` (the worker's patience ended) cut it short: its signal fires, its slot is free
 * for the next request, and whatever its handler still returns is dropped. Whatever the ending, the turn settles with the space once,
 * because that gives the credit back.
 */
import type { OpenSpan, Tracing } from '../src/admin/spans.js'
import { monotonicMs, wallMs } from '../src/clock.js'
import { isSpaceError, SpaceError } from '../src/errors.js'
import type { Placed } from '../src/in-flight.js'
import type { Logger } from '../src/log.js'
import type { HttpResponse, Taken } from '../src/request.js'
import type { Ending, WorkerTally } from '../src/tally.js'
import { runCurrent } from './current.js'
import type { Handler, TurnContext } from './handler.js'
import { plain, sealed } from './response.js'

// A client reads these; they say what happened, never where or why.
const FAILED = plain(500, 'Internal Server Error')
const BAD = plain(502, 'The application did not give a valid response.')
const LATE = plain(504, 'The application did not answer in time.')
const STOPPED = plain(
  502,
  'The worker was stopped before it had answered. The request may have taken effect; it was not run again.',
)

/** Who looks on, if anybody does. */
export interface Watch {
  readonly tally?: WorkerTally | undefined
  readonly tracing?: Tracing | undefined
}

const NOBODY: Watch = {}

export class Turn implements TurnContext, Placed {
  place = -1
  readonly id: string
  readonly service: string
  readonly priority: number
  readonly attempt: number
  readonly deadline: number
  readonly dueAt: number
  onCut: ((reason: Error) => void) | undefined

  readonly #taken: Taken
  readonly #handle: Handler
  readonly #logger: Logger
  readonly #watch: Watch
  readonly takenAt = monotonicMs()
  #started = false
  #ending: Ending | undefined
  #response: HttpResponse = FAILED
  #reason: Error | undefined
  #controller: AbortController | undefined
  #wake: (() => void) | undefined
  #span: OpenSpan | undefined

  constructor(taken: Taken, handle: Handler, logger: Logger, watch: Watch = NOBODY) {
    this.id = taken.id
    this.service = taken.service
    this.priority = taken.priority
    this.attempt = taken.attempt
    this.deadline = wallMs() + taken.remainingMs
    this.dueAt = this.takenAt + taken.remainingMs
    this.#taken = taken
    this.#handle = handle
    this.#logger = logger
    this.#watch = watch
  }

  /** From taken to settled. Never rejects. */
  async run(): Promise<void> {
    this.#taken.onLost = () => this.#cut('lost', new SpaceError('CLAIM_LOST'), LATE)
    const { method, headers } = this.#taken.request
    this.#span = this.#watch.tracing?.turn(this.id, this.service, this.attempt, method, headers)
    if (this.#taken.remainingMs <= 0) this.overdue()
    if (this.#ending === undefined && (this.#taken.repeatable || (await this.#start()))) await this.#handled()
    await this.#settle()
    this.#told()
  }

  /** The space hears that the handler is about to do what may not be done twice; only if it agrees does the handler run. */
  async #start(): Promise<boolean> {
    try {
      if (await this.#taken.start()) return this.#ending === undefined
      this.#cut('lost', new SpaceError('CLAIM_LOST'), LATE)
    } catch (error) {
      // Nothing has run, so the request can go to a worker that still reaches the space.
      this.#logger.warn({ id: this.id, err: error }, 'the space did not hear of the start, the request is given back')
      this.#cut('stopped', error as Error, STOPPED)
    }
    return false
  }

  /** Resolves when the turn has its ending, which may be before the handler has. */
  #handled(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
      this.#started = true
      const response = this.#span ? this.#span.run(() => this.#run()) : this.#run()
      response.then(this.#answered, this.#failed)
    })
  }

  #run(): Promise<HttpResponse> {
    return runCurrent(this, this.#handle, this.#taken.request)
  }

  readonly #answered = (response: HttpResponse): void => {
    if (this.#ending !== undefined) return
    try {
      this.#response = sealed(response, this.#taken.request.method)
      this.#end('answered')
    } catch (error) {
      this.#failed(error)
    }
  }

  readonly #failed = (error: unknown): void => {
    if (this.#ending !== undefined) {
      this.strayed(error)
      return
    }
    this.#response = isSpaceError(error, 'BAD_RESPONSE') ? BAD : FAILED
    this.#logger.error({ id: this.id, service: this.service, err: error }, 'the handler failed')
    this.#end('failed')
  }

  /** Its deadline has passed: the gateway has told the client so by itself. */
  overdue(): void {
    this.#cut('late', new SpaceError('REQUEST_TIMEOUT'), LATE)
  }

  /** The worker does not wait for it any longer. */
  stop(): void {
    this.#cut('stopped', new DOMException('The worker was stopped.', 'AbortError'), STOPPED)
  }

  #cut(ending: Ending, reason: Error, response: HttpResponse): void {
    if (this.#ending !== undefined) return
    this.#reason = reason
    this.#response = response
    this.#end(ending)
    this.#controller?.abort(reason)
    this.onCut?.(reason)
  }

  #end(ending: Ending): void {
    this.#ending = ending
    this.#wake?.()
  }

  async #settle(): Promise<void> {
    const { id, attempt } = this
    const taken = this.#taken
    try {
      // What has not run, or may run twice, another worker can have. What has run and may not is answered: better 502 now than 504 later.
      if (this.#ending === 'stopped' && (taken.repeatable || !this.#started)) return await taken.release()
      // After `late` and `lost` nobody waits for it: it is said for the credit that comes back with it.
      const accepted = await taken.complete(this.#response)
      if (!accepted && this.#ending === 'answered') {
        if (this.#watch.tally) this.#watch.tally.refused++
        this.#logger.warn({ id, attempt }, 'the answer was refused: the space had ended the claim')
      }
    } catch (error) {
      this.#logger.warn({ id, attempt, err: error }, 'the answer did not reach the space')
    }
  }

  #told(): void {
    const { id, service, attempt } = this
    const { tally } = this.#watch
    const { status } = this.#response
    const ending = this.#ending as Ending
    const ms = monotonicMs() - this.takenAt
    if (tally) {
      tally.endings[ending]++
      tally.time.observe(ms)
      if (attempt > 1) tally.redelivered++
    }
    this.#span?.end(status, ending)
    this.#logger.debug({ id, service, attempt, status, ms }, ending)
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

  strayed(error: unknown): void {
    const fields = { id: this.id, service: this.service, err: error }
    // A handler that heeds its signal ends by throwing; that is as it should be.
    if (this.wasCut) this.#logger.debug(fields, 'the handler ended after its turn had been cut')
    else this.#logger.warn(fields, 'the handler failed after it had answered')
  }
}

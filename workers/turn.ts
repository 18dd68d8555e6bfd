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
import { monotonicMs, wallMs } from '../src/clock.js'
import { isSpaceError, SpaceError } from '../src/errors.js'
import type { Placed } from '../src/in-flight.js'
import type { Logger } from '../src/log.js'
import type { HttpResponse, Taken } from '../src/request.js'
import { runCurrent } from './current.js'
import type { Handler, TurnContext } from './handler.js'
import { plain, sealed } from './response.js'

type Ending = 'answered' | 'failed' | 'late' | 'lost' | 'stopped'

// A client reads these; they say what happened, never where or why.
const FAILED = plain(500, 'Internal Server Error')
const BAD = plain(502, 'The application did not give a valid response.')
const LATE = plain(504, 'The application did not answer in time.')
const STOPPED = plain(
  502,
  'The worker was stopped before it had answered. The request may have taken effect; it was not run again.',
)

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
  readonly #takenAt = monotonicMs()
  #started = false
  #ending: Ending | undefined
  #response: HttpResponse = FAILED
  #reason: Error | undefined
  #controller: AbortController | undefined
  #wake: (() => void) | undefined

  constructor(taken: Taken, handle: Handler, logger: Logger) {
    this.id = taken.id
    this.service = taken.service
    this.priority = taken.priority
    this.attempt = taken.attempt
    this.deadline = wallMs() + taken.remainingMs
    this.dueAt = this.#takenAt + taken.remainingMs
    this.#taken = taken
    this.#handle = handle
    this.#logger = logger
  }

  /** From taken to settled. Never rejects. */
  async run(): Promise<void> {
    this.#taken.onLost = () => this.#cut('lost', new SpaceError('CLAIM_LOST'), LATE)
    if (this.#taken.remainingMs <= 0) this.overdue()
    if (this.#ending === undefined && (this.#taken.repeatable || (await this.#start()))) await this.#handled()
    await this.#settle()
    this.#log()
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
      runCurrent(this, this.#handle, this.#taken.request).then(this.#answered, this.#failed)
    })
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
        this.#logger.warn({ id, attempt }, 'the answer was refused: the space had ended the claim')
      }
    } catch (error) {
      this.#logger.warn({ id, attempt, err: error }, 'the answer did not reach the space')
    }
  }

  #log(): void {
    const { id, service, attempt } = this
    const ms = monotonicMs() - this.#takenAt
    this.#logger.debug({ id, service, attempt, status: this.#response.status, ms }, this.#ending as Ending)
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

/** The loop: a standing take on one service, and the turns that came of it and have not ended. */
import { tracing } from '../src/admin/spans.js'
import { monotonicMs } from '../src/clock.js'
import { InFlight } from '../src/in-flight.js'
import type { Logger } from '../src/log.js'
import { type Serving, serveRequests, type Taken } from '../src/request.js'
import type { Space } from '../src/space.js'
import type { WorkerTally } from '../src/tally.js'
import { within } from '../src/within.js'
import { Deadlines } from './deadlines.js'
import type { Handler } from './handler.js'
import { Turn, type Watch } from './turn.js'

/** How long a stop waits, once it has cut what was left, for the space to hear of it. Longer would only be felt when Redis is gone. */
const LAST_WORDS_MS = 1_000

export interface LoopTerms {
  readonly service: string
  readonly concurrency: number
  readonly stopTimeoutMs: number
  readonly logger: Logger
  /** Set when somebody may ask what was counted. */
  readonly tally?: WorkerTally | undefined
}

export class Loop {
  readonly #space: Space
  readonly #handle: Handler
  readonly #terms: LoopTerms
  readonly #turns = new InFlight<Turn>()
  readonly #deadlines = new Deadlines(this.#turns)
  #watch: Watch
  #serving: Serving | undefined
  #standing = false
  #cutting = false
  #onIdle: (() => void) | undefined

  constructor(space: Space, handle: Handler, terms: LoopTerms) {
    this.#space = space
    this.#handle = handle
    this.#terms = terms
    this.#watch = { tally: terms.tally }
  }

  /** Whether its take stands in the space. */
  get standing(): boolean {
    return this.#standing
  }

  get inFlight(): number {
    return this.#turns.size
  }

  /** Age of the oldest turn; 0 when there is none. */
  get oldestMs(): number {
    const now = monotonicMs()
    let oldest = now
    for (const { takenAt } of this.#turns) oldest = Math.min(oldest, takenAt)
    return now - oldest
  }

  async start(): Promise<void> {
    const { service, concurrency, tally } = this.#terms
    this.#watch = { tally, tracing: tracing() }
    this.#serving = await serveRequests(this.#space, service, concurrency, (taken) => this.#begin(taken))
    this.#standing = true
  }

  /** Takes nothing new, lets the turns in flight end, cuts what has not ended in time. Always returns. */
  async stop(): Promise<void> {
    const { stopTimeoutMs, logger } = this.#terms
    this.#standing = false
    if (!(await within(stopTimeoutMs, this.#drained()))) {
      this.#cutting = true
      logger.warn({ turns: this.#turns.size }, 'the stop waits no longer: what still runs is cut')
      for (const turn of [...this.#turns]) turn.stop()
      await within(LAST_WORDS_MS, this.#idle())
    }
    this.#deadlines.stop()
  }

  #begin(taken: Taken): void {
    const turn = new Turn(taken, this.#handle, this.#terms.logger, this.#watch)
    this.#turns.add(turn)
    this.#deadlines.watch(turn)
    // Handed out while the stop was on its way to the space: given back unopened.
    if (this.#cutting) turn.stop()
    void turn.run().then(() => {
      this.#turns.remove(turn)
      if (this.#turns.size === 0) this.#onIdle?.()
    })
  }

  async #drained(): Promise<void> {
    try {
      await this.#serving?.stop()
    } catch (error) {
      this.#terms.logger.warn({ err: error }, 'the space did not hear that this worker takes nothing more')
    }
    await this.#idle()
  }

  #idle(): Promise<void> {
    if (this.#turns.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const before = this.#onIdle
      this.#onIdle = () => {
        before?.()
        resolve()
      }
    })
  }
}

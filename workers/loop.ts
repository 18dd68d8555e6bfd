/** The loop: the standing takes on one service, and the turns that came of it and have not ended. */
import { tracing } from '../src/admin/spans.js'
import { monotonicMs } from '../src/clock.js'
import type { Logger } from '../src/log.js'
import { type HeldRequest, type Serving, serveRequests } from '../src/request.js'
import type { WorkerCounters } from '../src/runtime/counters.js'
import { within } from '../src/runtime/deadline.js'
import { InFlight } from '../src/runtime/in-flight.js'
import type { Space } from '../src/space.js'
import { taskOffer } from '../src/tasks/task-offer.js'
import { Deadlines } from './deadlines.js'
import type { Handler } from './handler.js'
import { mostOverrunHandlers, OverrunHandlers } from './overrun.js'
import { Turn, type TurnMonitor } from './turn.js'

/** How long a stop waits, once it has cut what was left, for the space to hear of it. Longer would only be felt when Redis is gone. */
const LAST_WORDS_MS = 1_000

export interface LoopTerms {
  readonly service: string
  readonly concurrency: number
  readonly stopTimeoutMs: number
  readonly logger: Logger
  readonly counters: WorkerCounters
}

/** What answers the requests: those for the app of the service, and those for its tasks. */
export interface Serves {
  readonly app: Handler | undefined
  readonly tasks: { readonly names: readonly string[]; readonly handle: Handler } | undefined
}

/** One of the turns in flight, as it is told to whoever looks after the process. */
export interface TurnInFlight {
  readonly id: string
  readonly method: string
  /** Without its query, at most 200 characters. */
  readonly path: string
  /** Since it was taken. */
  readonly ms: number
}

/** How long others may take to hear that this process stood still, after it has gone on. */
const DOUBT_MS = 1_000

/** As many as are read rather than skipped. */
const MOST_LISTED = 20

export class Loop {
  readonly #space: Space
  readonly #serves: Serves
  readonly #terms: LoopTerms
  readonly #turns = new InFlight<Turn>()
  readonly #deadlines = new Deadlines(this.#turns)
  readonly #overrun: OverrunHandlers
  #watch: TurnMonitor
  #serving: Serving[] = []
  #cutting = false
  /** On the monotonic clock; Infinity: it has not begun anything since it was seen to stand still. */
  #doubtsUntil = 0
  #onIdle: (() => void) | undefined

  constructor(space: Space, serves: Serves, terms: LoopTerms) {
    this.#space = space
    this.#serves = serves
    this.#terms = terms
    const { logger, counters } = terms
    this.#overrun = new OverrunHandlers(this.maxOverrunHandlers)
    this.#watch = { logger, counters: counters, overrun: this.#overrun, deadlines: this.#deadlines }
  }

  /** Whether its takes stand in the space. */
  get standing(): boolean {
    return this.#serving.length > 0 && this.#serving.every(({ standing }) => standing)
  }

  /** Requests taken since the start. */
  get taken(): number {
    return this.#terms.counters.taken
  }

  get inFlight(): number {
    return this.#turns.size
  }

  /** Handlers that are known to run although their turn has ended. */
  get overrunHandlers(): number {
    return this.#overrun.size
  }

  /** With so many of these it is no good to the next request. */
  get maxOverrunHandlers(): number {
    return mostOverrunHandlers(this.#terms.concurrency)
  }

  /** The turns in flight, oldest first; not all when they are many. */
  list(): TurnInFlight[] {
    const now = monotonicMs()
    const oldest = [...this.#turns].sort((a, b) => a.takenAt - b.takenAt).slice(0, MOST_LISTED)
    return oldest.map(({ id, method, path, takenAt }) => ({ id, method, path, ms: now - takenAt }))
  }

  ids(): string[] {
    return Array.from(this.#turns, ({ id }) => id)
  }

  /** This process was seen to stand still: what it has not begun by now may be given to others before it goes on. */
  doubt(): void {
    this.#doubtsUntil = Number.POSITIVE_INFINITY
  }

  /** Age of the oldest turn; 0 when there is none. */
  get oldestMs(): number {
    const now = monotonicMs()
    let oldest = now
    for (const { takenAt } of this.#turns) oldest = Math.min(oldest, takenAt)
    return now - oldest
  }

  async start(): Promise<void> {
    const { service, concurrency } = this.#terms
    this.#watch = { ...this.#watch, tracing: tracing() }
    const { app, tasks } = this.#serves
    const serve = (handle: Handler, names?: readonly string[]): Promise<Serving> =>
      serveRequests(this.#space, service, concurrency, (held) => this.#begin(held, handle), names && taskOffer(names))
    this.#serving = []
    if (app) this.#serving.push(await serve(app))
    if (tasks) this.#serving.push(await serve(tasks.handle, tasks.names))
  }

  /** Takes nothing new, lets the turns in flight end, cuts what has not ended in time. Always returns. */
  async stop(): Promise<void> {
    const { stopTimeoutMs, logger } = this.#terms
    // These have no end of their own; their clients are told to come again.
    for (const turn of [...this.#turns]) if (turn.isUpgraded) turn.stop()
    if (!(await within(stopTimeoutMs, this.#drained()))) {
      this.#cutting = true
      logger.warn({ turns: this.#turns.size }, 'the stop waits no longer: what still runs is cut')
      for (const turn of [...this.#turns]) turn.stop()
      await within(LAST_WORDS_MS, this.#idle())
    }
    this.#deadlines.stop()
    this.#overrun.stop()
    const handlers = this.#overrun.collected()
    if (handlers > 0) logger.warn({ handlers }, 'handlers run on although their requests are over')
    // What was answered bit by bit is on its way still.
    await within(stopTimeoutMs, this.#space.streams.drained())
  }

  #begin(taken: HeldRequest, handle: Handler): void {
    const { counters } = this.#terms
    counters.taken++
    counters.waited.observe(taken.waitedMs)
    const turn = new Turn(taken, handle, this.#watch)
    if (this.#doubtsUntil > 0) turn.isDoubtful = this.#isInDoubt()
    this.#turns.add(turn)
    this.#deadlines.watch(turn)
    // Handed out while the stop was on its way to the space: given back unopened.
    if (this.#cutting) turn.stop()
    void turn.run().then(() => {
      this.#turns.remove(turn)
      if (this.#turns.size === 0) this.#onIdle?.()
    })
  }

  #isInDoubt(): boolean {
    const now = monotonicMs()
    this.#doubtsUntil = Math.min(this.#doubtsUntil, now + DOUBT_MS)
    if (now < this.#doubtsUntil) return true
    this.#doubtsUntil = 0
    return false
  }

  async #drained(): Promise<void> {
    try {
      await Promise.all(this.#serving.map((serving) => serving.stop()))
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

/** The loop: the standing takes of a worker on its services, and its turns in flight. */
import { tracing } from '../src/admin/spans.js'
import { monotonicMs } from '../src/clock.js'
import type { PauseFields } from '../src/control/kinds.js'
import type { Logger } from '../src/log.js'
import type { HeldRequest } from '../src/request.js'
import type { WorkerCounters } from '../src/runtime/counters.js'
import { within } from '../src/runtime/deadline.js'
import { Deadlines } from '../src/runtime/deadlines.js'
import { InFlight } from '../src/runtime/in-flight.js'
import type { Space } from '../src/space.js'
import { attribute } from './crash.js'
import type { Handler } from './handler.js'
import { mostOverrunHandlers, OverrunHandlers } from './overrun.js'
import { type Serves, Takes } from './takes.js'
import { Turn, type TurnMonitor } from './turn.js'

/** How long a stop waits, after the cut, until the space has been told. It matters only if Redis is away. */
const LAST_WORDS_MS = 1_000

export interface LoopTerms {
  readonly services: readonly string[]
  readonly concurrency: number
  readonly stopTimeoutMs: number
  readonly crashGraceMs: number
  readonly logger: Logger
  readonly counters: WorkerCounters
}

/** A turn in flight, as a supervisor lists it. */
export interface TurnInFlight {
  readonly id: string
  readonly service: string
  readonly method: string
  /** Without its query, at most 200 characters. */
  readonly path: string
  /** Time since the request was taken. */
  readonly ms: number
}

/** Time for other processes to learn that this one was blocked, after it goes on. */
const DOUBT_MS = 1_000

/** The longest list that people read. */
const MOST_LISTED = 20

export class Loop {
  readonly #space: Space
  readonly #takes: Takes
  readonly #terms: LoopTerms
  readonly #turns = new InFlight<Turn>()
  readonly #deadlines = new Deadlines(this.#turns)
  readonly #overrun: OverrunHandlers
  #watch: TurnMonitor
  #cutting = false
  /** An error was not caught: what has not begun is given back. */
  #crashed = false
  /** It was no request's error: what remains after the grace dies with the process, which counts as a death. */
  #unattributed = false
  #leaving: Promise<void> | undefined
  /**
   * Until when new turns are in doubt, on the monotonic clock; Infinity: since the process was found blocked, no turn
   * has begun.
   */
  #doubtsUntil = 0
  #onIdle: (() => void) | undefined

  constructor(space: Space, serves: Serves, terms: LoopTerms) {
    this.#space = space
    this.#terms = terms
    const { logger, counters, services, concurrency } = terms
    const begin = (held: HeldRequest, handle: Handler): void => this.#begin(held, handle)
    this.#takes = new Takes({ space, serves, services, concurrency, begin })
    this.#overrun = new OverrunHandlers(this.maxOverrunHandlers)
    this.#watch = { logger, counters: counters, overrun: this.#overrun, deadlines: this.#deadlines }
  }

  /** True while the space has the worker's takes; also if all that it serves is paused. */
  get standing(): boolean {
    return this.#takes.standing
  }

  /** Requests taken since the start. */
  get taken(): number {
    return this.#terms.counters.taken
  }

  /** Requests that the app has answered. */
  get answered(): number {
    return this.#terms.counters.endings.answered
  }

  get inFlight(): number {
    return this.#turns.size
  }

  /** Handlers that run although their turn has ended. */
  get overrunHandlers(): number {
    return this.#overrun.size
  }

  /** The number of overrun handlers from which on the worker is not ready. */
  get maxOverrunHandlers(): number {
    return mostOverrunHandlers(this.#terms.concurrency)
  }

  /** Returns the oldest turns in flight, at most MOST_LISTED. */
  list(): TurnInFlight[] {
    const now = monotonicMs()
    const oldest = [...this.#turns].sort((a, b) => a.takenAt - b.takenAt).slice(0, MOST_LISTED)
    return oldest.map(({ id, service, method, path, takenAt }) => ({ id, service, method, path, ms: now - takenAt }))
  }

  /** The turns in flight, in no order. */
  get turns(): Iterable<Pick<Turn, 'service' | 'method'>> {
    return this.#turns
  }

  /** Returns the ids of the entries of all turns in flight. */
  ids(): string[] {
    return Array.from(this.#turns, ({ entryId }) => entryId)
  }

  /**
   * Called if this process was found blocked: requests that have not begun by now may be given to others before it goes
   * on.
   */
  doubt(): void {
    this.#doubtsUntil = Number.POSITIVE_INFINITY
  }

  /** Age of the oldest turn, in ms; 0 without turns. */
  get oldestMs(): number {
    const now = monotonicMs()
    let oldest = now
    for (const { takenAt } of this.#turns) oldest = Math.min(oldest, takenAt)
    return now - oldest
  }

  async start(): Promise<void> {
    this.#watch = { ...this.#watch, tracing: tracing() }
    await this.#takes.start()
  }

  /** Takes nothing new, at an operator's order; or takes again. */
  drain(drains: boolean): void {
    this.#changed(this.#takes.drain(drains))
  }

  /** Takes nothing of what is paused. */
  pause(pauses: readonly PauseFields[]): void {
    this.#changed(this.#takes.pause(pauses))
  }

  /** Gives requests back that have not begun. */
  recall(): Promise<void> {
    return this.#space.suspend(this.#space.presence, this.ids())
  }

  /** True once it takes nothing new. */
  get isLeaving(): boolean {
    return this.#leaving !== undefined
  }

  /** Takes nothing new, waits for the turns in flight, cuts the rest in time. Always returns. */
  stop(): Promise<void> {
    this.#leaving ??= this.#leave(
      this.#terms.stopTimeoutMs,
      'the stop timeout is over: requests that still run are cut',
    )
    return this.#leaving
  }

  /** Handles an error that was not caught: fails its request, finishes the others within the grace. */
  async uncaught(error: unknown): Promise<'continue' | 'exit'> {
    const { crashGraceMs, logger } = this.#terms
    const cause = attribute(error, logger)
    if (cause === 'listener') return 'continue'
    this.#crashed = true
    if (cause !== 'request') this.#unattributed = true
    this.#leaving ??= this.#leave(crashGraceMs, 'the grace after a crash is over: requests that still run are cut')
    await this.#leaving
    return 'exit'
  }

  async #leave(withinMs: number, over: string): Promise<void> {
    const { logger } = this.#terms
    // Upgraded connections do not end by themselves; their clients are told to reconnect.
    for (const turn of [...this.#turns]) if (turn.isUpgraded) turn.stop()
    if (!(await within(withinMs, this.#drained()))) {
      logger.warn({ turns: this.#turns.size }, over)
      if (this.#unattributed) return
      this.#cutting = true
      for (const turn of [...this.#turns]) turn.stop()
      await within(LAST_WORDS_MS, this.#idle())
    }
    this.#deadlines.stop()
    this.#overrun.stop()
    const handlers = this.#overrun.collected()
    if (handlers > 0) logger.warn({ handlers }, 'handlers still run after the end of their requests')
    // Streamed responses may still be on their way.
    await within(withinMs, this.#space.streams.drained())
  }

  #begin(taken: HeldRequest, handle: Handler): void {
    this.#terms.counters.took(taken.service, taken.waitedMs)
    const turn = new Turn(taken, handle, this.#watch)
    if (this.#doubtsUntil > 0) turn.isDoubtful = this.#isInDoubt()
    this.#turns.add(turn)
    this.#deadlines.watch(turn)
    // Handed out before the space knew of the stop: given back unopened.
    if (this.#cutting || this.#crashed) turn.stop()
    turn.run(() => {
      this.#turns.remove(turn)
      if (this.#turns.size === 0) this.#onIdle?.()
    })
  }

  #changed(change: Promise<void>): void {
    change.catch((error) => {
      if (!this.#leaving) this.#terms.logger.warn({ err: error }, 'the takes of this worker could not be changed')
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
      await this.#takes.stop()
    } catch (error) {
      this.#terms.logger.warn({ err: error }, 'the space could not be told that this worker takes no more requests')
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

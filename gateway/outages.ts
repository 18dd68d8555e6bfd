/** Outages: logs when requests of a service wait and no worker takes them. */
import { monotonicMs } from '../src/clock.js'
import { type Logger, silent } from '../src/log.js'
import { backlogOf } from '../src/request.js'
import type { Space } from '../src/space.js'

const LOOK_MS = 1_000
const OUTAGE_MS = 5_000

/** Counters of one service in this gateway: a request pays two additions. */
export class Load {
  /** Requests without a response so far. */
  waiting = 0
  /** Responses of workers. */
  answered = 0
  /** `answered` at the last look. */
  seen = 0
  /** Time of the last progress on the monotonic clock: an answer, or a moment without waiting requests. */
  since = 0
  /** True once this outage has been logged. */
  logged = false

  constructor(readonly service: string) {}
}

export class Outages {
  readonly #space: Space
  readonly #log: Logger
  readonly #outageMs: number
  readonly #lookMs: number
  readonly #loads = new Map<string, Load>()
  #timer: NodeJS.Timeout | undefined

  constructor(space: Space, log: Logger, outageMs = OUTAGE_MS, lookMs = LOOK_MS) {
    this.#space = space
    this.#log = log
    this.#outageMs = outageMs
    this.#lookMs = lookMs
  }

  /** Returns the load of a service, the same object at each call. */
  of(service: string): Load {
    const load = this.#loads.get(service) ?? new Load(service)
    this.#loads.set(service, load)
    return load
  }

  /** Counts a request that begins to wait. */
  enter(load: Load): void {
    load.waiting++
    if (this.#timer === undefined && this.#log !== silent) this.#begin()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Looks every `lookMs` while requests wait: an idle gateway has no timer. */
  #begin(): void {
    const now = monotonicMs()
    for (const load of this.#loads.values()) load.since = now
    this.#timer = setInterval(() => this.#look(), this.#lookMs).unref()
  }

  #look(): void {
    const now = monotonicMs()
    let waiting = 0
    for (const load of this.#loads.values()) {
      waiting += load.waiting
      if (load.answered !== load.seen) this.#recovered(load)
      if (load.waiting === 0 || load.answered !== load.seen) load.since = now
      load.seen = load.answered
      if (!load.logged && now - load.since >= this.#outageMs) void this.#ask(load)
    }
    if (waiting === 0) this.stop()
  }

  #recovered(load: Load): void {
    if (load.logged) this.#log.info({ service: load.service }, 'workers take requests of this service again')
    load.logged = false
  }

  /** Asks the space how many requests wait for a worker: a long-running request is not an outage. */
  async #ask(load: Load): Promise<void> {
    const { service } = load
    const backlog = await backlogOf(this.#space, service).catch(() => undefined)
    if (!backlog || backlog.count === 0 || backlog.oldestMs < this.#outageMs || load.logged) return
    load.logged = true
    const fields = { service, waiting: backlog.count, oldestMs: Math.round(backlog.oldestMs) }
    this.#log.warn(fields, 'requests wait and no worker takes them: start one for this service')
  }
}

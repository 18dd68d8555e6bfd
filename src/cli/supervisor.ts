/** Keeps a number of worker processes running: one that dies is reported to the space at once and replaced; one that is worn, before it ends. */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { monotonicMs } from '../clock.js'
import type { Logger } from '../log.js'
import type { Report } from './worker-process.js'

export interface SupervisorOptions {
  readonly processes: number
  /** The command line of each. */
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** How long each takes to drain at most, in ms. */
  readonly stopTimeoutMs: number
  /** Whether the successor of a worn process is ready before that one drains; else it starts when it has drained. */
  readonly overlap: boolean
  /** Tells the space that the process of this session is gone. */
  readonly declareDead: (session: string) => Promise<void>
  readonly logger: Logger
}

/** One process, from its fork to its exit. */
interface Child {
  readonly process: ChildProcess
  /** Its name in the space, once it has said it. */
  session: string | undefined
  readyAt: number | undefined
  /** What it said when it could not start. */
  failed: string | undefined
  /** It said that it is to be replaced. */
  worn: boolean
}

/** One of the processes to keep, whichever child fills the place at the moment. */
interface Place {
  readonly number: number
  child: Child | undefined
  /** Takes the place of a worn child as soon as it is ready. */
  next: Child | undefined
  /** Deaths in a row that came soon after the start. */
  quickDeaths: number
  again: NodeJS.Timeout | undefined
}

/** Who lives this long after it was ready did not die of its start. */
const SETTLED_MS = 1_000
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 10_000

/** What a child needs, beyond its drain, to give back what it holds and close its connections. */
const CLOSING_MS = 3_000

const PROGRAM = fileURLToPath(new URL('./main.js', import.meta.url))

export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #places: Place[]
  /** Worn ones that drain, each with the bound of its patience. */
  readonly #leaving = new Map<Child, NodeJS.Timeout>()
  /** What the space is being told. */
  readonly #telling = new Set<Promise<void>>()
  #stopping = false
  #started = false
  #onReady: () => void = () => {}
  #onFailure: (error: Error) => void = () => {}
  #onEmpty: () => void = () => {}

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#places = Array.from({ length: options.processes }, (_, number) => ({
      number,
      child: undefined,
      next: undefined,
      quickDeaths: 0,
      again: undefined,
    }))
  }

  /** Resolves when all are ready. Rejects when one dies before: what cannot start once will not start by being tried again. */
  async start(): Promise<void> {
    const ready = new Promise<void>((resolve, reject) => {
      this.#onReady = resolve
      this.#onFailure = reject
    })
    for (const place of this.#places) place.child = this.#spawn(place)
    await ready
    this.#started = true
  }

  /** Has all of them drain, and kills those that don't within their bound. */
  async stop(): Promise<void> {
    this.#stopping = true
    // A start under way ends too; that its processes are gone is then no failure.
    this.#onReady()
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve
    })
    for (const { again } of this.#places) clearTimeout(again)
    for (const child of this.#children()) child.process.kill('SIGTERM')
    const bound = setTimeout(() => this.killAll(), this.#options.stopTimeoutMs + CLOSING_MS)
    this.#checkEmpty()
    await empty
    clearTimeout(bound)
    await Promise.all(this.#telling)
  }

  killAll(): void {
    for (const child of this.#children()) child.process.kill('SIGKILL')
  }

  #children(): Child[] {
    const places = this.#places.flatMap(({ child, next }) => [child, next])
    return [...places, ...this.#leaving.keys()].filter((child) => child !== undefined)
  }

  #spawn(place: Place): Child {
    const { args, env, logger } = this.#options
    const process = fork(PROGRAM, args, { env: { ...globalThis.process.env, ...env }, stdio: 'inherit' })
    const child: Child = { process, session: undefined, readyAt: undefined, failed: undefined, worn: false }
    process.on('message', (report: Report) => {
      if ('session' in report) child.session = report.session
      else if ('failed' in report) child.failed = report.failed
      else if ('worn' in report) this.#worn(place, child, report.worn)
      else this.#ready(place, child)
    })
    // A fork that fails has no exit; it is a death like any other.
    process.once('error', (error) => {
      logger.error({ err: error, process: place.number }, 'a worker process could not be started')
      if (process.pid === undefined) this.#died(place, child, null, null)
    })
    process.once('exit', (code, signal) => this.#died(place, child, code, signal))
    return child
  }

  #ready(place: Place, child: Child): void {
    const { logger } = this.#options
    child.readyAt = monotonicMs()
    const fields = { process: place.number, workerPid: child.process.pid, session: child.session }
    logger.info(fields, 'a worker process is ready')
    if (place.next === child) {
      const old = place.child
      place.child = child
      place.next = undefined
      if (old) this.#release(old)
    }
    // One that takes requests may have taken its last before it says that it is ready.
    if (child.worn) this.#replace(place, child)
    if (this.#places.every((each) => each.child?.readyAt !== undefined)) this.#onReady()
  }

  #worn(place: Place, child: Child, reason: string): void {
    if (this.#stopping || child.worn) return
    child.worn = true
    const fields = { process: place.number, workerPid: child.process.pid, reason }
    this.#options.logger.info(fields, 'a worker process is worn and is replaced')
    if (place.child === child && child.readyAt !== undefined) this.#replace(place, child)
  }

  #replace(place: Place, child: Child): void {
    if (this.#stopping) return
    if (this.#options.overlap) {
      place.next = this.#spawn(place)
    } else {
      place.child = undefined
      this.#release(child, () => {
        place.child = this.#spawn(place)
      })
    }
  }

  /** Has it drain, and kills it if it doesn't within its bound. */
  #release(child: Child, then: () => void = () => {}): void {
    const bound = setTimeout(() => child.process.kill('SIGKILL'), this.#options.stopTimeoutMs + CLOSING_MS)
    this.#leaving.set(child, bound)
    child.process.once('exit', () => {
      if (!this.#stopping) then()
    })
    child.process.kill('SIGTERM')
  }

  #died(place: Place, child: Child, code: number | null, signal: NodeJS.Signals | null): void {
    const { session, failed, readyAt } = child
    if (place.next === child) place.next = undefined
    if (place.child === child) {
      // A successor on its way needs no other.
      place.child = place.next
      place.next = undefined
    }
    // One that drained has said good-bye to the space itself.
    if (session !== undefined && code !== 0) this.#declareDead(session)
    clearTimeout(this.#leaving.get(child))
    const left = this.#leaving.delete(child)
    if (this.#stopping) {
      this.#checkEmpty()
      return
    }
    if (left) return
    if (!this.#started && readyAt === undefined) {
      this.#onFailure(new Error(failed ?? `A worker process ended while it started (${signal ?? code}).`))
      return
    }
    const settled = readyAt !== undefined && monotonicMs() - readyAt >= SETTLED_MS
    place.quickDeaths = settled ? 0 : place.quickDeaths + 1
    const pauseMs =
      place.quickDeaths === 0 ? 0 : Math.min(FIRST_PAUSE_MS * 2 ** (place.quickDeaths - 1), LONGEST_PAUSE_MS)
    const fields = { process: place.number, workerPid: child.process.pid, code, signal, reason: failed, pauseMs }
    this.#options.logger.warn(fields, 'a worker process ended and is replaced')
    clearTimeout(place.again)
    place.again = setTimeout(() => this.#refill(place), pauseMs)
  }

  #refill(place: Place): void {
    if (!place.child) place.child = this.#spawn(place)
    else if (place.child.worn && !place.next) place.next = this.#spawn(place)
  }

  #declareDead(session: string): void {
    const { logger, declareDead } = this.#options
    const told = declareDead(session)
      .catch((error) => logger.warn({ err: error, session }, 'the space could not be told of a death'))
      .finally(() => this.#telling.delete(told))
    this.#telling.add(told)
  }

  #checkEmpty(): void {
    if (this.#children().length === 0) this.#onEmpty()
  }
}

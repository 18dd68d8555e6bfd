/** Keeps a number of worker processes running: one that dies is reported to the space at once and replaced. */
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
  /** Tells the space that the process of this session is gone. */
  readonly declareDead: (session: string) => Promise<void>
  readonly logger: Logger
}

/** One of the processes to keep, whichever child fills the place at the moment. */
interface Place {
  readonly number: number
  child: ChildProcess | undefined
  /** The child's name in the space, once it has said it. */
  session: string | undefined
  readyAt: number | undefined
  /** What it said when it could not start. */
  failed: string | undefined
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
      session: undefined,
      readyAt: undefined,
      failed: undefined,
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
    for (const place of this.#places) this.#fill(place)
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
    for (const { child, again } of this.#places) {
      clearTimeout(again)
      child?.kill('SIGTERM')
    }
    const bound = setTimeout(() => this.killAll(), this.#options.stopTimeoutMs + CLOSING_MS)
    this.#checkEmpty()
    await empty
    clearTimeout(bound)
    await Promise.all(this.#telling)
  }

  killAll(): void {
    for (const { child } of this.#places) child?.kill('SIGKILL')
  }

  #fill(place: Place): void {
    const { args, env, logger } = this.#options
    const child = fork(PROGRAM, args, { env: { ...process.env, ...env }, stdio: 'inherit' })
    place.child = child
    place.session = undefined
    place.readyAt = undefined
    place.failed = undefined
    child.on('message', (report: Report) => {
      if ('session' in report) place.session = report.session
      else if ('failed' in report) place.failed = report.failed
      else this.#ready(place)
    })
    // A fork that fails has no exit; it is a death like any other.
    child.once('error', (error) => {
      logger.error({ err: error, process: place.number }, 'a worker process could not be started')
      if (child.pid === undefined) this.#died(place, null, null)
    })
    child.once('exit', (code, signal) => this.#died(place, code, signal))
  }

  #ready(place: Place): void {
    place.readyAt = monotonicMs()
    this.#options.logger.info(
      { process: place.number, workerPid: place.child?.pid, session: place.session },
      'a worker process is ready',
    )
    if (this.#places.every(({ readyAt }) => readyAt !== undefined)) this.#onReady()
  }

  #died(place: Place, code: number | null, signal: NodeJS.Signals | null): void {
    const { logger, declareDead } = this.#options
    const { session, child, readyAt } = place
    place.child = undefined
    // One that drained has said good-bye to the space itself.
    if (session !== undefined && code !== 0) {
      const told = declareDead(session)
        .catch((error) => logger.warn({ err: error, session }, 'the space could not be told of a death'))
        .finally(() => this.#telling.delete(told))
      this.#telling.add(told)
    }
    if (this.#stopping) {
      this.#checkEmpty()
      return
    }
    const fields = { process: place.number, workerPid: child?.pid, code, signal, reason: place.failed }
    if (!this.#started && readyAt === undefined) {
      this.#onFailure(new Error(place.failed ?? `A worker process ended while it started (${signal ?? code}).`))
      return
    }
    const settled = readyAt !== undefined && monotonicMs() - readyAt >= SETTLED_MS
    place.quickDeaths = settled ? 0 : place.quickDeaths + 1
    const pauseMs =
      place.quickDeaths === 0 ? 0 : Math.min(FIRST_PAUSE_MS * 2 ** (place.quickDeaths - 1), LONGEST_PAUSE_MS)
    logger.warn({ ...fields, pauseMs }, 'a worker process ended and is replaced')
    place.again = setTimeout(() => this.#fill(place), pauseMs)
  }

  #checkEmpty(): void {
    if (this.#places.every(({ child }) => child === undefined)) this.#onEmpty()
  }
}

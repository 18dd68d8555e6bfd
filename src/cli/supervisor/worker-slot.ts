/**
 * A slot: one of the worker or gateway processes that a supervisor keeps. Its child is replaced when it is due for recycling,
 * blocked or gone.
 */
import { monotonicMs } from '../../clock.js'
import type { Logger } from '../../log.js'
import { Child, type Overseer } from './child.js'
import type { FailureReports } from './failure-reports.js'
import { BEAT_MS, type Beat, type BlockedLoop } from './ipc.js'
import type { Launch } from './launch.js'
import { type RecycleCause, type RecyclePolicy, recycleCause } from './recycle-policy.js'

/** The cause of a replacement. */
export type Reason = 'exit' | 'crash' | 'blocked' | RecycleCause['by']

export interface SlotTerms {
  /** The kind of the processes, in messages and names of metrics. */
  readonly role: 'worker' | 'gateway'
  readonly launch: Launch
  /** The command line of each child. */
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Sent to each child. */
  readonly settings: Promise<object>
  readonly recyclePolicy: RecyclePolicy
  /** Maximum time for a child to drain, in ms. */
  readonly stopTimeoutMs: number
  /** Maximum silence of a child, in ms. */
  readonly blockedTimeoutMs: number
  readonly failureReports: FailureReports
  readonly logger: Logger
}

/** The supervisor, as a slot sees it. */
export interface SlotOwner {
  readonly started: boolean
  readonly stopping: boolean
  /** True while a successor starts in any slot; only one starts at a time, since a start slows down the others. */
  readonly replacing: boolean
  onReady(): void
  onGone(): void
  onFailure(error: Error): void
  onReplaced(reason: Reason): void
}

/** A process that lives this long after it was ready has not died of its start, even if it has answered nothing. */
const SETTLED_MS = 1_000
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 10_000

/** Time for a child, after its drain, to release what it holds and close its connections. */
export const CLOSING_MS = 3_000

/** A second without a heartbeat; the first look may come right after one. */
const SILENT_LOOKS = 1_000 / BEAT_MS + 1

export class WorkerSlot implements Overseer {
  readonly number: number
  readonly #terms: SlotTerms
  readonly #owner: SlotOwner
  #child: Child | undefined
  /** The successor, which replaces the child when it is ready. */
  #next: Child | undefined
  /** Replaced children that drain, each with the timer that kills it; none for a crashed one. */
  readonly #leaving = new Map<Child, NodeJS.Timeout | undefined>()
  /** Consecutive deaths soon after the start, of processes that had answered nothing. */
  #quickDeaths = 0
  #again: NodeJS.Timeout | undefined

  constructor(number: number, terms: SlotTerms, owner: SlotOwner) {
    this.number = number
    this.#terms = terms
    this.#owner = owner
  }

  get child(): Child | undefined {
    return this.#child
  }

  get children(): Child[] {
    return [this.#child, this.#next, ...this.#leaving.keys()].filter((child) => child !== undefined)
  }

  get replacing(): boolean {
    return this.#next !== undefined
  }

  /** Starts a child if there is none, or a successor if the child is due for recycling. */
  fill(): void {
    this.#again = undefined
    if (!this.#child) this.#child = this.#spawn()
    else if (this.#child.dueForRecycling && !this.#owner.replacing) this.#next = this.#spawn()
  }

  /** Drains the children, and starts no other. */
  stop(): void {
    clearTimeout(this.#again)
    for (const child of this.children) child.leave()
  }

  /**
   * To be called every BEAT_MS: finds children that have been silent for too long, and replaces one that is due for
   * recycling.
   */
  look(): void {
    if (this.#child?.dueForRecycling && this.#again === undefined && !this.#owner.stopping) this.fill()
    for (const child of this.children) {
      const looks = child.look()
      if (looks < SILENT_LOOKS) continue
      this.#blocked(child)
      // With a debugger attached it may be blocked for any time.
      if ((looks - 1) * BEAT_MS < this.#terms.blockedTimeoutMs || child.killed || child.inspected) continue
      child.killed = true
      child.kill('SIGKILL')
    }
  }

  ready(child: Child): void {
    this.#terms.logger.info(
      { ...this.#fieldsOf(child), presence: child.presence },
      `a ${this.#terms.role} process is ready`,
    )
    if (this.#next === child) {
      const old = this.#child
      this.#child = child
      this.#next = undefined
      if (old) this.#release(old)
    }
    this.#owner.onReady()
  }

  beat(child: Child, beat: Beat, silentMs: number): void {
    const { logger } = this.#terms
    if (child.blocked) {
      child.blocked = child.suspended = false
      logger.info({ ...this.#fieldsOf(child), silentMs }, `a ${this.#terms.role} process answers again`)
    }
    if (child !== this.#child || child.readyAt === undefined || child.dueForRecycling || this.#owner.stopping) return
    child.recyclePolicy ??= this.#policyFor(child, beat)
    const cause = recycleCause(beat, child.recyclePolicy)
    if (!cause) return
    child.dueForRecycling = true
    logger.info(
      { ...this.#fieldsOf(child), reason: cause.why },
      `a ${this.#terms.role} process is due for recycling and is replaced`,
    )
    this.#owner.onReplaced(cause.by)
  }

  loopBlocked(child: Child, report: BlockedLoop): void {
    const { failureReports, logger } = this.#terms
    const { running, ...seen } = report
    logger.warn({ ...this.#fieldsOf(child), ...seen }, `a ${this.#terms.role} process is blocked`)
    // Requests that it has not started go to others; the one that blocks it is among `running`.
    if (child.presence !== undefined) void failureReports.unresponsive(child.presence, running)
  }

  crashed(child: Child): void {
    if (child !== this.#child || child.readyAt === undefined || child.crashed || this.#owner.stopping) return
    child.crashed = true
    const pauseMs = this.#pauseAfter(child)
    this.#terms.logger.warn(
      { ...this.#fieldsOf(child), pauseMs },
      `a ${this.#terms.role} process crashed: it finishes its requests and is replaced`,
    )
    // The replacement of a process that is due for recycling was counted before.
    if (!child.dueForRecycling) this.#owner.onReplaced('crash')
    child.dueForRecycling = true
    clearTimeout(this.#again)
    this.#again = setTimeout(() => this.fill(), pauseMs)
  }

  failed(child: Child, error: Error): void {
    this.#terms.logger.error(
      { err: error, ...this.#fieldsOf(child) },
      `a ${this.#terms.role} process could not be started`,
    )
  }

  exited(child: Child, code: number | null, signal: NodeJS.Signals | null): void {
    if (this.#next === child) this.#next = undefined
    if (this.#child === child) {
      // A starting successor takes over.
      this.#child = this.#next
      this.#next = undefined
    }
    // A drained child has left the space; one whose app called process.exit() has not.
    if (child.presence !== undefined && !(child.leaving && code === 0)) this.#terms.failureReports.dead(child.presence)
    clearTimeout(this.#leaving.get(child))
    const left = this.#leaving.delete(child)
    if (this.#owner.stopping) this.#owner.onGone()
    else if (!left) this.#died(child, code, signal)
  }

  #died(child: Child, code: number | null, signal: NodeJS.Signals | null): void {
    const { failure: reason, readyAt, killed } = child
    if (!this.#owner.started && readyAt === undefined) {
      this.#owner.onFailure(
        startFailure(reason ?? `A ${this.#terms.role} process ended while it started (${signal ?? code}).`),
      )
      return
    }
    // After a crash the pause has begun, or is over.
    const pauseMs = child.crashed ? 0 : this.#pauseAfter(child)
    const fields = { ...this.#fieldsOf(child), code, signal, reason, pauseMs }
    this.#terms.logger.warn(fields, `a ${this.#terms.role} process ended and is replaced`)
    // The replacement of a recycled child was counted before.
    if (!child.dueForRecycling) this.#owner.onReplaced(killed ? 'blocked' : 'exit')
    if (child.crashed && this.#again !== undefined) return
    clearTimeout(this.#again)
    this.#again = setTimeout(() => this.fill(), pauseMs)
  }

  /**
   * Returns the pause before a child is replaced. It grows while the children end before they have answered anything.
   */
  #pauseAfter({ readyAt, answered }: Child): number {
    const settled = answered || (readyAt !== undefined && monotonicMs() - readyAt >= SETTLED_MS)
    this.#quickDeaths = settled ? 0 : this.#quickDeaths + 1
    return settled ? 0 : Math.min(FIRST_PAUSE_MS * 2 ** (this.#quickDeaths - 1), LONGEST_PAUSE_MS)
  }

  /** If the app exceeds maxMemory right after start, replacing it cannot help: disable the limit. */
  #policyFor(child: Child, { megabytes }: Beat): RecyclePolicy {
    const { recyclePolicy, logger } = this.#terms
    const { maxMemory } = recyclePolicy
    if (maxMemory === undefined || megabytes < maxMemory) return recyclePolicy
    const fields = { ...this.#fieldsOf(child), maxMemory, megabytes }
    logger.warn(fields, 'the app uses more than --max-memory at startup: the process is not replaced')
    return { ...recyclePolicy, maxMemory: undefined }
  }

  #spawn(): Child {
    const { launch, args, env, settings } = this.#terms
    return new Child(launch(args, { ...process.env, ...env }), settings, this)
  }

  /** Drains a child, and kills it if it takes too long. */
  #release(child: Child): void {
    if (child.crashed) {
      // It ends by itself, after its grace.
      child.leaving = true
      this.#leaving.set(child, undefined)
      return
    }
    const bound = setTimeout(() => child.kill('SIGKILL'), this.#terms.stopTimeoutMs + CLOSING_MS)
    this.#leaving.set(child, bound)
    child.leave()
  }

  #blocked(child: Child): void {
    const { failureReports, logger } = this.#terms
    if (!child.blocked) {
      child.blocked = true
      logger.warn(this.#fieldsOf(child), `a ${this.#terms.role} process does not answer: it is handed nothing more`)
    }
    if (child.suspended || child.presence === undefined) return
    child.suspended = true
    void failureReports.unresponsive(child.presence, undefined).then((heard) => {
      if (!heard) child.suspended = false
    })
  }

  #fieldsOf({ pid }: Child): object {
    return { process: this.number, [`${this.#terms.role}Pid`]: pid }
  }
}

/** Returns the error of a process: its first line is the message, the others say where. */
function startFailure(said: string): Error {
  const [message, ...where] = said.split('\n')
  return Object.assign(new Error(message), { where: where.map((line) => line.trim()) })
}

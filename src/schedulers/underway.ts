/** Underway: the attempts of a scheduler that are with workers; passes their progress on to their tickets. */

import { progressTemplate } from '../entry/ticket.js'
import type { Logger } from '../log.js'
import type { Space } from '../space.js'
import { decodeProgress, encodeProgress } from '../tasks/progress.js'
import { type Job, type JobResult, runJob } from './job.js'

interface AttemptUnderway {
  readonly job: Job
  readonly onProgress: ((progress: unknown) => Promise<unknown>) | undefined
  /** Resolves when its progress so far has been passed on, in order. */
  told: Promise<void>
}

export class Underway {
  readonly #space: Space
  readonly #group: string
  readonly #signal: AbortSignal
  readonly #logger: Logger
  /** By id of the attempt. */
  readonly #attempts = new Map<string, AttemptUnderway>()
  #registration: string | undefined
  #onIdle: (() => void) | undefined

  /** `signal` ends all attempts. Attempts of other groups are ignored. */
  constructor(space: Space, group: string, signal: AbortSignal, logger: Logger) {
    this.#space = space
    this.#group = group
    this.#signal = signal
    this.#logger = logger
  }

  get size(): number {
    return this.#attempts.size
  }

  /** Starts listening to progress. */
  async followProgress(): Promise<void> {
    const { id } = await this.#space.engine.notify({
      templates: [progressTemplate({ group: this.#group })],
      on: 'written',
      leaseMs: Number.POSITIVE_INFINITY,
      onEvent: ({ id: attempt, body }) => {
        const running = this.#attempts.get(attempt)
        const { progress } = decodeProgress(body)
        if (!running || progress === undefined) return
        running.told = running.told
          .then(() => this.#progress(running, progress))
          .catch((err) => this.#logger.debug({ err, id: attempt }, 'the progress of a job could not be reported'))
      },
      onMissed: () => {},
      onEnded: () => {
        if (this.#signal.aborted) return
        this.followProgress().catch((err) => this.#logger.warn({ err }, 'the progress of jobs cannot be followed'))
      },
    })
    this.#registration = id
  }

  /**
   * Runs the next attempt of a job. `onProgress` is called with its progress.
   *
   * @throws as runJob
   */
  async run(job: Job, onProgress?: (progress: unknown) => Promise<unknown>): Promise<JobResult> {
    const attempt: AttemptUnderway = { job, onProgress, told: Promise.resolve() }
    this.#attempts.set(job.id, attempt)
    try {
      const verdict = await runJob(this.#space, job, this.#signal)
      // Progress that was reported before the end has arrived; it is passed on before the result.
      await new Promise(setImmediate)
      await attempt.told
      return verdict
    } finally {
      this.#attempts.delete(job.id)
      if (this.#attempts.size === 0) this.#onIdle?.()
    }
  }

  /** Resolves when no attempt is with a worker. */
  async idle(): Promise<void> {
    if (this.#attempts.size > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve))
  }

  /** Removes an attempt from the space: its job has the result. */
  forget(attempt: string): void {
    this.#space.engine.cancel(attempt).catch(() => {
      // Its lease ends by itself.
    })
  }

  /** Ends followProgress. */
  close(): void {
    if (this.#registration) this.#space.engine.cancel(this.#registration).catch(() => {})
  }

  async #progress({ job, onProgress }: AttemptUnderway, progress: unknown): Promise<void> {
    await onProgress?.(progress)
    if (job.ticket === undefined) return
    const report = encodeProgress({ phase: 'running', attempt: job.number, progress })
    await this.#space.engine.tickets.recordProgress(job.ticket, report)
  }
}

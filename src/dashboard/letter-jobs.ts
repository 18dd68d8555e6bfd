/** Acts on many dead letters: one at a time, with progress, and stopped when asked. */
import { isSpaceError } from '../errors.js'
import type { Space } from '../space.js'
import { dropDeadLetter, requeueDeadLetter } from '../tasks/requeue.js'
import { Refused } from './refusal.js'

export type LetterAct = 'requeue' | 'drop'

/** An act that runs or has run. */
export interface LetterJob {
  readonly act: LetterAct
  readonly total: number
  done: number
  /** Those that were gone, or cannot be restored. */
  failed: number
  state: 'running' | 'done' | 'stopped'
}

/** Letters under way at a time. */
const TOGETHER = 10

export class LetterJobs {
  readonly #space: Space
  #last: LetterJob | undefined
  #isStopped = false

  constructor(space: Space) {
    this.#space = space
  }

  /** The act that runs, or the last one; undefined before the first. */
  get last(): LetterJob | undefined {
    return this.#last
  }

  /** Acts on each letter and resolves with the result. @throws Refused 409: another act runs */
  async run(act: LetterAct, ids: readonly string[]): Promise<LetterJob> {
    if (this.#last?.state === 'running') throw new Refused(409, 'jobs', 'Another act on dead letters runs still.')
    this.#isStopped = false
    const job: LetterJob = { act, total: ids.length, done: 0, failed: 0, state: 'running' }
    this.#last = job
    try {
      for (let i = 0; i < ids.length && !this.#isStopped; i += TOGETHER) {
        const acted = await Promise.all(ids.slice(i, i + TOGETHER).map((id) => this.#one(act, id)))
        job.done += acted.filter(Boolean).length
        job.failed += acted.filter((ok) => !ok).length
      }
    } finally {
      job.state = this.#isStopped ? 'stopped' : 'done'
    }
    return job
  }

  /** Returns false if nothing runs. */
  stop(): boolean {
    this.#isStopped = true
    return this.#last?.state === 'running'
  }

  async #one(act: LetterAct, id: string): Promise<boolean> {
    try {
      if (act === 'drop') return await dropDeadLetter(this.#space, id)
      await requeueDeadLetter(this.#space, id)
      return true
    } catch (error) {
      if (isSpaceError(error, 'LEASE_UNKNOWN') || isSpaceError(error, 'DATA_DAMAGED')) return false
      throw error
    }
  }
}

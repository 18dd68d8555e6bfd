/** One operation as a promise, for whatever is not on the hot path. */
import type { Batches } from './batches.js'

export interface Answer {
  readonly letter: string
  readonly values: readonly Buffer[]
  /** The lease clock of the call that answered. */
  readonly now: number
}

export interface AskOptions {
  readonly repeatable: boolean
  readonly standing?: boolean
  readonly entries?: number
  readonly began?: number
}

export function ask(batches: Batches, args: readonly (string | Buffer)[], options: AskOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    batches.add({ args, ...options, answer: (letter, values, now) => resolve({ letter, values, now }), fail: reject })
  })
}

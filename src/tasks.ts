/** Tasks: the types of a worker's functions, and the outcomes that a task may return instead of a result. */
import { LONGEST_TIMER_MS } from './clock.js'
import { SpaceError } from './errors.js'

/** The tasks of a worker: functions of one input, by name. */
// biome-ignore lint/suspicious/noExplicitAny: the parameters of any function
export type Tasks = Readonly<Record<string, (...args: any[]) => unknown>>

/** The input of a task, and the result of a call: its return value, without RetryIn and GiveUp. */
export type TaskInput<T extends Tasks, N extends keyof T> = Parameters<T[N]>[0]
export type TaskResult<T extends Tasks, N extends keyof T> = Exclude<Awaited<ReturnType<T[N]>>, RetryIn | GiveUp>

/**
 * The arguments after the name of a task in a call: its input, then options. The input is optional if the task's is.
 */
export type TaskArguments<T extends Tasks, N extends keyof T, Options> =
  undefined extends TaskInput<T, N>
    ? [input?: TaskInput<T, N>, options?: Options | undefined]
    : [input: TaskInput<T, N>, options?: Options | undefined]

/** The outcome of a task that should be retried later. Made by `retryIn`. */
export class RetryIn {
  readonly ms: number

  constructor(ms: number) {
    this.ms = ms
  }
}

/** The outcome of a task that must not be retried. Made by `giveUp`. */
export class GiveUp {
  readonly reason: string

  constructor(reason: string) {
    this.reason = reason
  }
}

/**
 * Returned by a task to be retried after `ms`. It counts as an attempt; if none is left, or in a plain call, the task
 * has failed. Its transaction is aborted.
 *
 * @throws SpaceError INVALID_ARGUMENT
 * @example if (response.status === 429) return retryIn(30_000)
 */
export function retryIn(ms: number): RetryIn {
  if (typeof ms !== 'number' || !(ms >= 0) || ms > LONGEST_TIMER_MS) {
    throw new SpaceError('INVALID_ARGUMENT', `retryIn takes a number of milliseconds from 0 to ${LONGEST_TIMER_MS}.`)
  }
  return new RetryIn(ms)
}

/**
 * Returned by a task that has failed for good: no further attempt is made.
 *
 * @throws SpaceError INVALID_ARGUMENT
 * @example if (!user) return giveUp('there is no such user')
 */
export function giveUp(reason: string): GiveUp {
  if (typeof reason !== 'string' || reason === '') throw new SpaceError('INVALID_ARGUMENT', 'giveUp wants a reason.')
  return new GiveUp(reason)
}

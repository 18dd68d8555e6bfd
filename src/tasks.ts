/** Tasks: the named functions that workers have, as their types, and what one may ask for instead of a result. */
import { LONGEST_TIMER_MS } from './clock.js'
import { SpaceError } from './errors.js'

/** What a worker's tasks look like from outside: functions of one input by name. */
// biome-ignore lint/suspicious/noExplicitAny: the parameters of any function
export type Tasks = Readonly<Record<string, (...args: any[]) => unknown>>

/** What a task takes, and what a call of it resolves with: what it returns, without the outcomes that are none. */
export type TaskInput<T extends Tasks, N extends keyof T> = Parameters<T[N]>[0]
export type TaskResult<T extends Tasks, N extends keyof T> = Exclude<Awaited<ReturnType<T[N]>>, RetryIn | GiveUp>

/** The arguments behind the name of a task in a call: its input, then options. A task that takes none, or may do without, needs no input. */
export type TaskArguments<T extends Tasks, N extends keyof T, Options> =
  undefined extends TaskInput<T, N>
    ? [input?: TaskInput<T, N>, options?: Options | undefined]
    : [input: TaskInput<T, N>, options?: Options | undefined]

/** The outcome of a task that cannot be done now and may be later. Made by `retryIn`. */
export class RetryIn {
  readonly ms: number

  constructor(ms: number) {
    this.ms = ms
  }
}

/** The outcome of a task that can never be done. Made by `giveUp`. */
export class GiveUp {
  readonly reason: string

  constructor(reason: string) {
    this.reason = reason
  }
}

/**
 * To be returned by a task: not now, try again in so many ms. It counts as an attempt; without one left, or in a plain call, the task has
 * failed. What it did under its transaction is undone.
 *
 * @throws SpaceError INVALID_ARGUMENT
 * @example if (response.status === 429) return retryIn(30_000)
 */
export function retryIn(ms: number): RetryIn {
  if (typeof ms !== 'number' || !(ms >= 0) || ms > LONGEST_TIMER_MS) {
    throw new SpaceError('INVALID_ARGUMENT', `retryIn wants milliseconds from 0 to ${LONGEST_TIMER_MS}.`)
  }
  return new RetryIn(ms)
}

/**
 * To be returned by a task: it has failed, and no further attempt is made however many are left.
 *
 * @throws SpaceError INVALID_ARGUMENT
 * @example if (!user) return giveUp('there is no such user')
 */
export function giveUp(reason: string): GiveUp {
  if (typeof reason !== 'string' || reason === '') throw new SpaceError('INVALID_ARGUMENT', 'giveUp wants a reason.')
  return new GiveUp(reason)
}

/** call: sends a task through the space and returns its result. */
import { LONGEST_TIMER_MS, monotonicMs } from '../clock.js'
import { onlyKnown } from '../errors/unknown-option.js'
import { SpaceError } from '../errors.js'
import { sendRequest } from '../request.js'
import { type DeadlineTerms, withDeadline } from '../runtime/deadline.js'
import type { Space } from '../space.js'
import { decodeOutcome, encodeCall, isTaskName, resultOf, TASK_NAME_RULE } from './message.js'
import { whyNotDone } from './offered.js'
import { wholeResponse } from './whole-response.js'

export interface CallOptions {
  /** Time until the call rejects with REQUEST_TIMEOUT, in ms. Default 30 000. */
  readonly timeoutMs?: number | undefined
  /** Withdraws the call: the signal of the task fires, and the call rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined
  /** The service of the workers. Default: the client's. */
  readonly service?: string | undefined
  /** Higher is taken first, -128 to 127. Default 0. */
  readonly priority?: number | undefined
  /**
   * True if the task may run again when its worker dies after it has started: a task must be idempotent. Default true.
   */
  readonly repeatable?: boolean | undefined
  /** True adds the stack to the error of a failed task, which shows the inside of another process. Default false. */
  readonly stack?: boolean | undefined
}

const OPTIONS: ReadonlySet<string> = new Set(['timeoutMs', 'signal', 'service', 'priority', 'repeatable', 'stack'])

export async function call(
  space: Space,
  ours: string,
  task: string,
  input: unknown,
  options: CallOptions = {},
  trace?: readonly string[],
): Promise<unknown> {
  onlyKnown('call', options, OPTIONS)
  const { timeoutMs = 30_000, signal, service = ours, priority = 0, repeatable = true, stack = false } = options
  checkedTask(task)
  checkedTime('timeoutMs', timeoutMs)
  checkedPriority(priority)
  signal?.throwIfAborted()
  const sent = sendRequest(space, encodeCall(task, input, { stack, trace }), {
    service,
    task,
    timeoutMs,
    priority,
    repeatable,
  })
  const { timeouts } = space
  const terms: DeadlineTerms = { timeoutMs, timeouts, signal, late: () => DEADLINE, onGivenUp: sent.withdraw }
  const since = monotonicMs()
  try {
    let response = await withDeadline(sent.response, terms)
    if (response.rest) {
      const left = Math.max(timeoutMs - (monotonicMs() - since), 0)
      response = await withDeadline(wholeResponse(response, response.rest), { ...terms, timeoutMs: left })
    }
    return resultOf(decodeOutcome(response))
  } catch (error) {
    if (error !== DEADLINE) throw error
    throw new SpaceError('REQUEST_TIMEOUT', await whyNotDone(space, service, task))
  }
}

/** The reason of the deadline. */
const DEADLINE = Symbol('late')

/** @throws SpaceError INVALID_ARGUMENT, as all of these */
export function checkedTask(task: unknown): asserts task is string {
  if (!isTaskName(task)) throw new SpaceError('INVALID_ARGUMENT', TASK_NAME_RULE)
}

export function checkedTime(name: string, ms: unknown, least = 1): void {
  if (typeof ms !== 'number' || !(ms >= least) || ms > LONGEST_TIMER_MS) {
    throw new SpaceError(
      'INVALID_ARGUMENT',
      `${name} must be a number of milliseconds from ${least} to ${LONGEST_TIMER_MS}.`,
    )
  }
}

export function checkedPriority(priority: unknown): void {
  if (!Number.isInteger(priority) || (priority as number) < -128 || (priority as number) > 127) {
    throw new SpaceError('INVALID_ARGUMENT', 'priority must be an integer from -128 to 127.')
  }
}

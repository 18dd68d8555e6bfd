/** Task messages: a request that names a function of a worker instead of a path, and its outcome, as entries. */
import { decodeFields, encodeFields } from '../entry/codec.js'
import { SpaceError } from '../errors.js'
import type { HttpRequest, HttpResponse } from '../request/message.js'
import { errorOf, type Failure, failureFrom } from './failure.js'

/** The method of a task's RequestEntry; its target is the task's name. HTTP has no such method. */
export const TASK_METHOD = 'TASK'

const LONGEST_TASK_NAME = 100
export const TASK_NAME_RULE = `The name of a task must have 1 to ${LONGEST_TASK_NAME} characters, no control characters.`

/** Returns whether a task can have this name: names are parts of keys, and lines of heads. */
export const isTaskName = (name: unknown): name is string =>
  typeof name === 'string' &&
  name !== '' &&
  name.length <= LONGEST_TASK_NAME &&
  name.isWellFormed() &&
  !/\p{Cc}/u.test(name)

/** Distinguishes the outcome of a task from a worker's own responses, which are plain text. */
const MEDIA_TYPE = 'application/vnd.takespace.task'
const HEADERS: readonly string[] = ['Content-Type', MEDIA_TYPE]

/** Returns whether a response is the outcome of a task, not that of an app. */
export const isTaskOutcome = ({ headers }: Pick<HttpResponse, 'headers'>): boolean => headers[1] === MEDIA_TYPE

/** The outcome of one run of a task. */
export type TaskOutcome =
  | { readonly kind: 'done'; readonly value: unknown }
  | { readonly kind: 'failed'; readonly failure: Failure }
  | { readonly kind: 'gaveUp'; readonly failure: Failure }
  | { readonly kind: 'retry'; readonly inMs: number }

/** Options that are encoded beside the input. */
export interface CallTerms {
  /** True includes the stack of an error. */
  readonly stack?: boolean
  /** Number of the attempt at the first delivery. Default 1. */
  readonly attempt?: number
  /** True for a task that no process waits for: a failure goes to the dead letters. */
  readonly deadLettersOnFailure?: boolean
  /** Headers of the caller's trace. */
  readonly trace?: readonly string[] | undefined
}

const STACK = 'Stack'
const ATTEMPT = 'Attempt'
const LETTER = 'Letter'

/** @throws SpaceError INVALID_ENTRY for an input that cannot be stored */
export function encodeCall(
  task: string,
  input: unknown,
  { stack, attempt, deadLettersOnFailure, trace }: CallTerms = {},
): HttpRequest {
  const headers: string[] = trace ? [...trace] : []
  if (stack) headers.push(STACK, '1')
  if (attempt !== undefined && attempt !== 1) headers.push(ATTEMPT, String(attempt))
  if (deadLettersOnFailure) headers.push(LETTER, '1')
  const body = encodeFields({ input })
  return { method: TASK_METHOD, target: task, httpVersion: '1.1', headers, body, peer: '', secure: false }
}

/** Returns whether its failure goes to the dead letters. */
export const deadLettersOnFailure = ({ method, headers }: HttpRequest): boolean =>
  method === TASK_METHOD && headers.includes(LETTER)

export interface TaskCall {
  readonly task: string
  readonly input: unknown
  readonly stack: boolean
  readonly attempt: number
  readonly deadLettersOnFailure: boolean
}

/** Returns the call. Throws any error if the request is malformed: it may be foreign. */
export function decodeCall({ method, target, headers, body }: HttpRequest): TaskCall {
  if (method !== TASK_METHOD) throw new TypeError('not a call of a task')
  const field = (name: string): string | undefined => headers[headers.indexOf(name) + 1]
  const { input } = decodeFields(body) as { input?: unknown }
  const attempt = headers.includes(ATTEMPT) ? Number(field(ATTEMPT)) : 1
  if (!Number.isSafeInteger(attempt) || attempt < 1) throw new TypeError('not an attempt')
  return {
    task: target,
    input,
    stack: headers.includes(STACK),
    attempt,
    deadLettersOnFailure: headers.includes(LETTER),
  }
}

/**
 * Returns the response of a task. Throws INVALID_ENTRY if the result cannot be stored, which is a failure of the task.
 */
export function encodeOutcome(outcome: TaskOutcome, attempt = 1): HttpResponse {
  const headers = attempt === 1 ? HEADERS : [...HEADERS, ATTEMPT, String(attempt)]
  switch (outcome.kind) {
    case 'done':
      return { status: 200, reason: 'OK', headers, body: encodeFields({ value: outcome.value }) }
    case 'retry':
      return { status: 503, reason: 'Retry', headers, body: encodeFields({ retryInMs: outcome.inMs }) }
    default: {
      const body = encodeFields({ ...outcome.failure, ...(outcome.kind === 'gaveUp' ? { gaveUp: true } : {}) })
      return { status: 500, reason: 'Failed', headers, body }
    }
  }
}

/**
 * Returns the outcome. @throws SpaceError REQUEST_TIMEOUT, WORKER_LOST or BAD_RESPONSE for a response of the worker
 * itself
 */
export function decodeOutcome({ status, headers, body }: HttpResponse): TaskOutcome {
  if (!isTaskOutcome({ headers }))
    throw new SpaceError(status === 504 ? 'REQUEST_TIMEOUT' : status === 502 ? 'WORKER_LOST' : 'BAD_RESPONSE')
  let fields: Record<string, unknown>
  try {
    fields = decodeFields(body) as Record<string, unknown>
  } catch (cause) {
    throw new SpaceError('BAD_RESPONSE', '', { cause })
  }
  if (status === 200) return { kind: 'done', value: fields.value }
  if (typeof fields.retryInMs === 'number') return { kind: 'retry', inMs: fields.retryInMs }
  return { kind: fields.gaveUp === true ? 'gaveUp' : 'failed', failure: failureFrom(fields) }
}

/** Returns the number of the attempt that has this outcome. */
export function attemptIn({ headers }: Pick<HttpResponse, 'headers'>): number {
  const at = headers.indexOf(ATTEMPT)
  return at < 0 ? 1 : Number(headers[at + 1]) || 1
}

/** Returns the result. @throws SpaceError TASK_FAILED, whose cause is the task's error */
export function resultOf(outcome: TaskOutcome): unknown {
  if (outcome.kind === 'done') return outcome.value
  const failure =
    outcome.kind === 'retry'
      ? { name: 'RetryIn', message: `The task asked to be tried again in ${outcome.inMs} ms, and no attempt is left.` }
      : outcome.failure
  throw new SpaceError('TASK_FAILED', `${failure.name}: ${failure.message}`, { cause: errorOf(failure) })
}

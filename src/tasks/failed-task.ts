/**
 * The dead letter of a task that has failed for good and that no process waits for: the task, its attempts, its error.
 */
import type { EncodedEntry } from '../engine.js'
import { deadLetterEntry } from '../entry/dead-letter.js'
import { requestEntry } from '../request/kinds.js'
import { encodeRequest, type HttpRequest, type HttpResponse } from '../request/message.js'
import { type Failure, failureFrom, failureOf } from './failure.js'
import { decodeOutcome, TASK_METHOD } from './message.js'

/** Fields that the request of a dead letter has. */
const ATTEMPTS = 'Failed-Attempts'
const ERROR = 'Failed-Error'
/** The options with which it was enqueued, for a requeue. */
export const OPTIONS_FIELD = 'Options'

export interface Failed {
  readonly attempts: number
  readonly error: Failure
  readonly reason: string
}

/** Returns the failure of an outcome; undefined if the task was done. */
export function failureInResponse(response: HttpResponse): Omit<Failed, 'attempts'> | undefined {
  try {
    const outcome = decodeOutcome(response)
    if (outcome.kind === 'done') return undefined
    if (outcome.kind === 'gaveUp') return { reason: 'gave up', error: outcome.failure }
    if (outcome.kind === 'failed') return { reason: 'failed', error: outcome.failure }
    const message = `It asked to be tried again in ${outcome.inMs} ms, and no attempt was left.`
    return { reason: 'failed', error: { name: 'RetryIn', message } }
  } catch (error) {
    // A response of the worker itself: the task ran past its deadline, or the worker was stopped.
    return { reason: 'failed', error: failureOf(error) }
  }
}

export function deadLetterFor(
  id: string,
  service: string,
  request: HttpRequest,
  failed: Failed,
  priority: number,
): EncodedEntry {
  const { attempts, error, reason } = failed
  const { stack: _, ...kept } = error
  const headers = [...request.headers, ATTEMPTS, String(attempts), ERROR, JSON.stringify(kept)]
  const terms = { service, task: request.target, timeoutMs: 0, priority, repeatable: true }
  return deadLetterEntry(id, reason, requestEntry(id, request, terms), encodeRequest({ ...request, headers }), priority)
}

/** Returns attempts and error of the dead letter of a task. */
export function failedIn({ method, headers }: HttpRequest): { attempts?: number; error?: Failure } {
  if (method !== TASK_METHOD) return {}
  const field = (name: string): string | undefined =>
    headers.includes(name) ? headers[headers.indexOf(name) + 1] : undefined
  const attempts = Number(field(ATTEMPTS))
  try {
    const error = failureFrom(JSON.parse(field(ERROR) ?? '') as Record<string, unknown>)
    return { ...(Number.isSafeInteger(attempts) ? { attempts } : {}), error }
  } catch {
    // Its workers died, or the entry is foreign.
    return {}
  }
}

/** Returns the original request. */
export function unfailed(request: HttpRequest): HttpRequest {
  const headers: string[] = []
  for (let i = 0; i < request.headers.length; i += 2) {
    const name = request.headers[i]!
    if (name !== ATTEMPTS && name !== ERROR) headers.push(name, request.headers[i + 1]!)
  }
  return { ...request, headers }
}

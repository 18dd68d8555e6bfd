/**
 * Attempt: one try of a job, sent through the space: written once, even if several schedulers write it, and awaited by
 * the job's current scheduler.
 */

import { resultTemplate } from '../entry/ticket.js'
import { isSpaceError, SpaceError } from '../errors.js'
import { type HttpResponse, requestEntry } from '../request.js'
import { pause } from '../runtime/deadline.js'
import type { Space } from '../space.js'
import { DAY_MS, digestOf } from './enqueue.js'
import { encodeCall } from './message.js'
import { whyNotDone } from './offered.js'
import { answerIn } from './outcome.js'

export interface Attempt {
  /** The same for every scheduler, so that the attempt is written once. */
  readonly id: string
  /** Number of the attempt, from 1. */
  readonly number: number
  readonly service: string
  readonly task: string
  readonly input: unknown
  readonly priority: number
  readonly timeoutMs: number
  /** The group under which its progress is reported. */
  readonly group: string
  /** Headers of the trace in which the job was enqueued. */
  readonly trace?: readonly string[] | undefined
}

export const attemptId = (parts: readonly string[]): string => `j${digestOf(parts)}`

/** How long the outcome is stored, in case the scheduler restarts. */
const KEPT_MS = DAY_MS
/** Time from the deadline of a task to its outcome. */
const AFTERWARDS_MS = 5_000
/** Pause before a retry if the space is full or away. */
const TRY_AGAIN_MS = 1_000
const MOST_BYTES = 1 << 30

/**
 * Returns the worker's response.
 *
 * @throws the signal's reason; SpaceError WORKER_LOST, REQUEST_TIMEOUT (no worker had time for it), TICKET_CANCELLED,
 *   BAD_RESPONSE
 */
export async function runAttempt(space: Space, attempt: Attempt, signal: AbortSignal): Promise<HttpResponse> {
  const { id, number, service, task, input, priority, timeoutMs, group, trace } = attempt
  // A worker's death ends the attempt, and the scheduler decides on another: an attempt does not run twice.
  const terms = { service, task, timeoutMs, priority, repeatable: false }
  const ticket = {
    id,
    fingerprint: 'job',
    leaseMs: timeoutMs + AFTERWARDS_MS,
    keptMs: KEPT_MS,
    maxBytes: MOST_BYTES,
    group,
  }
  const request = encodeCall(task, input, { attempt: number, trace })
  await persist(signal, () => space.engine.tickets.open(ticket, requestEntry(`${id}.${space.newId()}`, request, terms)))
  const find = { template: resultTemplate(id), take: false, waitMs: timeoutMs + AFTERWARDS_MS, signal }
  const found = await persist(signal, () => space.engine.find(find))
  if (!found) throw new SpaceError('REQUEST_TIMEOUT', await whyNotDone(space, service, task))
  return answerIn(found)
}

/** Retries `operation` while its failure is transient, until the signal fires. */
export async function persist<T>(signal: AbortSignal, operation: () => Promise<T>): Promise<T> {
  for (;;) {
    signal.throwIfAborted()
    try {
      return await operation()
    } catch (error) {
      const mayPass = isSpaceError(error) && (error.retryable || error.code === 'OUTCOME_UNKNOWN')
      if (!mayPass) throw error
      await pause(TRY_AGAIN_MS, signal)
    }
  }
}

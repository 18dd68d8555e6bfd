/** Attempt: one try of a job, run through the space: written once whoever writes it, and waited for by whoever looks after the job now. */

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
  /** The same for whoever writes it: that is how it is written once. */
  readonly id: string
  /** Which one it is, from 1 on. */
  readonly number: number
  readonly service: string
  readonly task: string
  readonly input: unknown
  readonly priority: number
  readonly timeoutMs: number
  /** By which notes on it are told from those on others. */
  readonly group: string
  /** The headers that tell of the trace in which it was asked for. */
  readonly trace?: readonly string[] | undefined
}

export const attemptId = (parts: readonly string[]): string => `j${digestOf(parts)}`

/** What a job answers is given to the job, and kept here only until that has been done; longer than any restart takes. */
const KEPT_MS = DAY_MS
/** Of a task that is cut at its deadline the outcome comes a little later. */
const AFTERWARDS_MS = 5_000
/** A job is not given up because the space has no room or is away. */
const TRY_AGAIN_MS = 1_000
const MOST_BYTES = 1 << 30

/**
 * Resolves with the worker's answer.
 *
 * @throws the signal's reason; SpaceError WORKER_LOST, REQUEST_TIMEOUT (no worker had time for it), TICKET_CANCELLED, BAD_RESPONSE
 */
export async function runAttempt(space: Space, attempt: Attempt, signal: AbortSignal): Promise<HttpResponse> {
  const { id, number, service, task, input, priority, timeoutMs, group, trace } = attempt
  // A worker's death is the end of this attempt, and whoever counts attempts decides whether there is another: it may not run twice.
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

/** Until it is so, or the signal fires. */
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

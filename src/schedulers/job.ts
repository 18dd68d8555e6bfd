/**
 * The life of one attempt of a job: announced on its ticket, run through the space, and judged: done, again, or over.
 */

import { wallMs } from '../clock.js'
import { CANCELLED } from '../engine/tickets.js'
import { resultTemplate } from '../entry/ticket.js'
import { isSpaceError } from '../errors.js'
import { encodeResponse, type HttpResponse } from '../request/message.js'
import type { Space } from '../space.js'
import { type Attempt, attemptId, persist, runAttempt } from '../tasks/attempt.js'
import { DAY_MS } from '../tasks/enqueue.js'
import { deadLetterFor, OPTIONS_FIELD } from '../tasks/failed-task.js'
import { cutText, type Failure, failureOf } from '../tasks/failure.js'
import { decodeOutcome, encodeCall, encodeOutcome, type TaskOutcome } from '../tasks/message.js'
import { encodeProgress, type Progress } from '../tasks/progress.js'

export interface Job extends Attempt {
  /** True if no attempt follows. */
  readonly isLast: boolean
  /** Delay of the next attempt, in ms, unless the task asks for another. */
  readonly nextInMs: number
  /** Its ticket, and how long the outcome is stored there. */
  readonly ticket?: string | undefined
  readonly leaseMs?: number | undefined
  /** The options with which it was enqueued, as JSON, if its failure becomes a dead letter. */
  readonly options?: string | undefined
}

export type JobResult =
  | { readonly kind: 'done'; readonly value: unknown }
  | { readonly kind: 'again'; readonly failure: Failure; readonly inMs: number | undefined }
  | { readonly kind: 'over'; readonly failure: Failure }

/**
 * Maximum UTF-16 units of an error on a ticket: each takes at most three bytes of a progress report. Control
 * characters, which take six in JSON, are replaced.
 */
const NOTED = 500
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u001f]/g

/**
 * Returns the result of an attempt. Throws only the signal's reason: then the next scheduler of the job finds the same
 * attempt.
 */
export async function runJob(space: Space, job: Job, signal: AbortSignal): Promise<JobResult> {
  const { ticket } = job
  if (ticket !== undefined && !(await announced(space, ticket, job, signal))) return { kind: 'done', value: undefined }
  const watch = new AbortController()
  if (ticket !== undefined) watchCancel(space, ticket, job, watch.signal)
  try {
    const answer = await runAttempt(space, job, signal)
    return await judged(space, job, answer, decodeOutcome(answer), signal)
  } catch (error) {
    signal.throwIfAborted()
    if (isSpaceError(error, 'TICKET_CANCELLED')) return { kind: 'done', value: undefined }
    const outcome: TaskOutcome = { kind: 'failed', failure: failureOf(error) }
    return judged(space, job, undefined, outcome, signal)
  } finally {
    watch.abort()
  }
}

/** Announces the attempt on the ticket. Returns false if the ticket was cancelled. */
async function announced(space: Space, ticket: string, job: Job, signal: AbortSignal): Promise<boolean> {
  await recordProgress(space, ticket, job, { phase: 'running', attempt: job.number }, 0, signal)
  const settled = await persist(signal, () =>
    space.engine.find({ template: resultTemplate(ticket), take: false, waitMs: 0 }),
  )
  return settled?.kinds[0] !== CANCELLED
}

async function recordProgress(
  space: Space,
  ticket: string,
  job: Job,
  progress: Progress,
  inMs: number,
  signal: AbortSignal,
): Promise<void> {
  // The ticket must outlast the attempt and its outcome; a day more in case schedulers are held up.
  const leaseMs = inMs + job.timeoutMs + (job.leaseMs ?? 0) + DAY_MS
  await persist(signal, async () => {
    if (await space.engine.tickets.recordProgress(ticket, encodeProgress(progress)))
      await space.engine.renew(ticket, leaseMs)
  })
}

/** Cancels the attempt when its ticket is cancelled. */
function watchCancel(space: Space, ticket: string, { id, timeoutMs }: Job, signal: AbortSignal): void {
  space.engine
    .find({ template: resultTemplate(ticket), take: false, waitMs: timeoutMs, signal })
    .then((found) => found?.kinds[0] === CANCELLED && space.engine.tickets.settle(id, null))
    .catch(() => {
      // The attempt is over, or the space is away: its outcome will be dropped.
    })
}

async function judged(
  space: Space,
  job: Job,
  answer: HttpResponse | undefined,
  outcome: TaskOutcome,
  signal: AbortSignal,
): Promise<JobResult> {
  const { ticket, number } = job
  if (outcome.kind === 'done') {
    await settle(space, ticket, answer as HttpResponse, signal)
    return { kind: 'done', value: outcome.value }
  }
  const inMs = outcome.kind === 'retry' ? outcome.inMs : undefined
  const failure = outcome.kind === 'retry' ? retryFailure(outcome.inMs) : outcome.failure
  if (!job.isLast && outcome.kind !== 'gaveUp') {
    const nextInMs = inMs ?? job.nextInMs
    const progress: Progress = {
      phase: 'scheduled',
      attempt: number,
      error: cutText(`${failure.name}: ${failure.message}`.replace(CONTROL, ' '), NOTED),
      dueAt: wallMs() + nextInMs,
    }
    if (ticket !== undefined) await recordProgress(space, ticket, job, progress, nextInMs, signal)
    return { kind: 'again', failure, inMs }
  }
  const over = { kind: outcome.kind === 'gaveUp' ? ('gaveUp' as const) : ('failed' as const), failure }
  if (job.options !== undefined) await writeDeadLetter(space, job, over.kind, failure, job.options, signal)
  await settle(space, ticket, encodeOutcome(over, number), signal)
  return { kind: 'over', failure }
}

const retryFailure = (inMs: number): Failure => ({
  name: 'RetryIn',
  message: `It asked to be tried again in ${inMs} ms.`,
})

async function settle(
  space: Space,
  ticket: string | undefined,
  answer: HttpResponse,
  signal: AbortSignal,
): Promise<void> {
  if (ticket === undefined) return
  await persist(signal, () => space.engine.tickets.settle(ticket, encodeResponse(answer)))
}

const MARKED_MS = 7 * DAY_MS

/** Writes the dead letter once, even if several schedulers do: under a ticket of its own. */
async function writeDeadLetter(
  space: Space,
  job: Job,
  kind: 'failed' | 'gaveUp',
  error: Failure,
  options: string,
  signal: AbortSignal,
): Promise<void> {
  const { id, number, task, input, service, priority } = job
  const call = encodeCall(task, input)
  const request = { ...call, headers: [...call.headers, OPTIONS_FIELD, options] }
  const failed = { attempts: number, error, reason: kind === 'gaveUp' ? 'gave up' : 'failed' }
  const mark = {
    id: attemptId([id, 'letter']),
    fingerprint: 'letter',
    leaseMs: MARKED_MS,
    keptMs: MARKED_MS,
    maxBytes: 1 << 30,
  }
  const deadLetter = deadLetterFor(`${space.newId()}.letter`, service, request, failed, priority)
  await persist(signal, () => space.engine.tickets.open(mark, deadLetter))
}

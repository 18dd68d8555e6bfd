/** Ticket: the state and outcome of an enqueued task, from any process. */

import type { Stored } from '../engine.js'
import { progressTemplate, resultTemplate } from '../entry/ticket.js'
import { onlyKnown } from '../errors/unknown-option.js'
import { SpaceError } from '../errors.js'
import { checkedLease } from '../space/lease.js'
import type { Space } from '../space.js'
import { type Failure, failureOf } from './failure.js'
import { HOW_TO_SCHEDULE, LATER, lacksScheduler } from './later.js'
import { attemptIn, decodeOutcome, resultOf as valueIn } from './message.js'
import { whyNotDone } from './offered.js'
import { answerIn } from './outcome.js'
import { decodeProgress } from './progress.js'

export interface TicketStatus {
  /**
   * `scheduled`: the task, or its next attempt, is due later · `waiting` for a worker · `running` · `completed` ·
   * `failed` for good · `cancelled` · `expired`: no worker had time for it within its `timeoutMs`.
   */
  readonly state: 'scheduled' | 'waiting' | 'running' | 'completed' | 'failed' | 'cancelled' | 'expired'
  /** Number of the attempt, from 1; of a finished task the last one that was reported. */
  readonly attempt: number
  /** The last value that the task passed to `progress`; undefined once it is finished. */
  readonly progress?: unknown
  /** The error of a failed task, or of the last attempt of one that will be retried. */
  readonly error?: Failure
  /** When the next attempt is due, if a scheduler has said so. */
  readonly dueAt?: Date
}

export interface ResultOptions {
  /** How long to wait, in ms. Default: until the ticket's lease ends. 0 = do not wait. */
  readonly waitMs?: number | undefined
  /** Ends the wait: the call rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined
}

export interface Ticket<R = unknown> {
  /** The id for `client.ticket(id)`, in any process. */
  readonly id: string
  /**
   * Returns the result of the task.
   *
   * @throws the signal's reason; SpaceError TASK_FAILED with its error as `cause`, TICKET_PENDING at the end of the
   *   wait, TICKET_UNKNOWN, TICKET_CANCELLED, DELIVERIES_EXHAUSTED, WORKER_LOST, REQUEST_TIMEOUT (it ran past its
   *   deadline)
   * @example const { ok } = await ticket.result({ waitMs: 10_000 })
   */
  result(options?: ResultOptions): Promise<R>
  /** @throws SpaceError TICKET_UNKNOWN */
  status(): Promise<TicketStatus>
  /**
   * Cancels the task: it does not run (again), and the signal of a running one fires. Returns false if it was finished.
   */
  cancel(): Promise<boolean>
  /**
   * Calls a listener for each `progress` of the task from now on; reports that come too fast are dropped, but not the
   * last. Ends when the returned function is called, or with the ticket.
   */
  onProgress(listener: (progress: unknown) => void): Promise<() => Promise<void>>
}

interface EnqueuedTask {
  readonly task: string
  readonly service: string
}

const RESULT_OPTIONS: ReadonlySet<string> = new Set(['waitMs', 'signal'])

/** Lease of a progress listener. */
const LISTENING_MS = 24 * 60 * 60 * 1000

/** `asked` is the enqueued task, if known. */
export function ticketNamed<R>(space: Space, id: string, asked?: EnqueuedTask): Ticket<R> {
  if (typeof id !== 'string' || id === '' || id.includes('.')) {
    throw new SpaceError('INVALID_ARGUMENT', 'The id of a ticket must be a string, as returned by client.enqueue.')
  }
  return {
    id,
    result: async (options = {}) => {
      onlyKnown('ticket.result', options, RESULT_OPTIONS)
      return resultWithin(space, id, options, asked) as Promise<R>
    },
    status: () => statusOf(space, id),
    cancel: () => space.engine.tickets.settle(id, null),
    async onProgress(listener) {
      const { id: registration } = await space.engine.notify({
        templates: [progressTemplate({ id })],
        on: 'written',
        leaseMs: LISTENING_MS,
        onEvent: ({ body }) => {
          const { progress } = decodeProgress(body)
          if (progress !== undefined) listener(progress)
        },
        onMissed: () => {},
        onEnded: () => {},
      })
      return async () => void (await space.engine.cancel(registration).catch(() => {}))
    },
  }
}

async function resultWithin(
  space: Space,
  id: string,
  { waitMs = Number.POSITIVE_INFINITY, signal }: ResultOptions,
  asked?: EnqueuedTask,
): Promise<unknown> {
  checkedLease(waitMs, 'waitMs')
  signal?.throwIfAborted()
  const { engine } = space
  const there = await engine.tickets.look(id)
  if (!there) throw new SpaceError('TICKET_UNKNOWN', `The ticket is ${id}.`)
  signal?.throwIfAborted()
  // After its lease no outcome can come.
  let found = await engine.find({
    template: resultTemplate(id),
    take: false,
    waitMs: Math.min(waitMs, Math.max(there.remainingMs, 0)),
    signal,
  })
  if (!found && waitMs > there.remainingMs) {
    // A scheduler may have renewed the lease for another attempt.
    const left = await engine.tickets.look(id)
    if (left)
      return resultWithin(space, id, { waitMs: waitMs - there.remainingMs, ...(signal ? { signal } : {}) }, asked)
    found = await engine.find({ template: resultTemplate(id), take: false, waitMs: 0 })
    if (!found) throw new SpaceError('TICKET_UNKNOWN', `The lease of the ticket ${id} has ended without an outcome.`)
  }
  if (!found) throw await pending(space, id, asked)
  return valueIn(decodeOutcome(answerIn(found)))
}

/**
 * Returns TICKET_PENDING with the state of the ticket, and with what it lacks: a scheduler, or a worker that has its
 * task.
 */
async function pending(space: Space, id: string, asked: EnqueuedTask | undefined): Promise<SpaceError> {
  try {
    const { state } = await statusOf(space, id)
    const lacking = state === 'scheduled' && (await lacksScheduler(space))
    const why = state === 'waiting' && asked ? ` ${await whyNotDone(space, asked.service, asked.task)}` : ''
    const how = lacking ? ` No scheduler has taken it. ${HOW_TO_SCHEDULE}` : why
    return new SpaceError('TICKET_PENDING', `The ticket ${id} is ${state}.${how}`)
  } catch {
    // The space went away meanwhile.
    return new SpaceError('TICKET_PENDING')
  }
}

async function statusOf(space: Space, id: string): Promise<TicketStatus> {
  const { tickets } = space.engine
  const there = await tickets.look(id)
  if (!there) throw new SpaceError('TICKET_UNKNOWN', `The ticket is ${id}.`)
  if (there.state === 'settled') return settledStatus(space, id)
  const { progress, phase, attempt = there.deaths + 1, error, dueAt } = decodeProgress(there.progress)
  const more = {
    attempt,
    ...(progress === undefined ? {} : { progress }),
    ...(error === undefined ? {} : { error: failureFromText(error) }),
    ...(dueAt === undefined ? {} : { dueAt: new Date(dueAt) }),
  }
  if (there.requestId.endsWith(`.${LATER}`)) return { state: phase ?? 'scheduled', ...more }
  return { state: there.state === 'absent' ? 'expired' : there.state, ...more }
}

const failureFromText = (text: string): Failure => {
  const colon = text.indexOf(': ')
  return { name: text.slice(0, Math.max(colon, 0)), message: text.slice(colon + 2) }
}

async function settledStatus(space: Space, id: string): Promise<TicketStatus> {
  const found = await space.engine.find({ template: resultTemplate(id), take: false, waitMs: 0 })
  if (!found) throw new SpaceError('TICKET_UNKNOWN', `The ticket is ${id}.`)
  return settledIn(found)
}

/** Returns the status of a ticket that has an outcome. */
export function settledIn(result: Stored): TicketStatus {
  try {
    const answer = answerIn(result)
    const attempt = attemptIn(answer)
    try {
      valueIn(decodeOutcome(answer))
      return { state: 'completed', attempt }
    } catch (error) {
      const cause = (error as Error).cause
      return { state: 'failed', attempt, error: failureOf(cause instanceof Error ? cause : error) }
    }
  } catch (error) {
    const cancelled = error instanceof SpaceError && error.code === 'TICKET_CANCELLED'
    return cancelled ? { state: 'cancelled', attempt: 1 } : { state: 'failed', attempt: 1, error: failureOf(error) }
  }
}

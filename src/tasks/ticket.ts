/** Ticket: a task that was enqueued, from any process: how far it is, what became of it. */

import { progressTemplate, resultTemplate } from '../entry/ticket.js'
import { onlyKnown } from '../errors/unknown-option.js'
import { SpaceError } from '../errors.js'
import { checkedLease } from '../space/lease.js'
import type { Space } from '../space.js'
import { HOW_TO_SCHEDULE, LATER, lacksScheduler } from './later.js'
import { attemptIn, decodeOutcome, type Failure, failureOf, resultOf as valueIn } from './message.js'
import { whyNotDone } from './offered.js'
import { answerIn } from './outcome.js'
import { decodeProgress } from './progress.js'

export interface TicketStatus {
  /**
   * `scheduled`: it is due later, or its next attempt is · `waiting` for a worker · `running` · `completed` · `failed` for good ·
   * `cancelled` · `expired`: no worker had time for it within its `timeoutMs`.
   */
  readonly state: 'scheduled' | 'waiting' | 'running' | 'completed' | 'failed' | 'cancelled' | 'expired'
  /** Which attempt it is, from 1 on; of one that is over the last one that was noted. */
  readonly attempt: number
  /** What the task said last by `progress`; undefined once it is over. */
  readonly progress?: unknown
  /** Of one that failed: why. Of one that is to be tried again: why the last attempt did. */
  readonly error?: Failure
  /** When its next attempt is due, where a scheduler has said so. */
  readonly dueAt?: Date
}

export interface ResultOptions {
  /** How long to wait for it, in ms. Default: until its lease ends. 0 = do not wait. */
  readonly waitMs?: number | undefined
  /** Ends the wait; the call then rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined
}

export interface Ticket<R = unknown> {
  /** For `client.ticket(id)`, from any process. */
  readonly id: string
  /**
   * What the task returned.
   *
   * @throws the signal's reason; SpaceError TASK_FAILED with its error as `cause`, TICKET_PENDING at the end of the wait, TICKET_UNKNOWN,
   *   TICKET_CANCELLED, DELIVERIES_EXHAUSTED, WORKER_LOST, REQUEST_TIMEOUT (it ran past its deadline)
   * @example const { ok } = await ticket.result({ waitMs: 10_000 })
   */
  result(options?: ResultOptions): Promise<R>
  /** @throws SpaceError TICKET_UNKNOWN */
  status(): Promise<TicketStatus>
  /** Takes it back: it is not run (again), and the signal of one that runs fires. false: it was over already. */
  cancel(): Promise<boolean>
  /**
   * Has a listener told of each `progress` of the task from now on; what comes too fast is left out, the last is not. It ends when the
   * returned function is called, and with the ticket.
   */
  onProgress(listener: (progress: unknown) => void): Promise<() => Promise<void>>
}

interface EnqueuedTask {
  readonly task: string
  readonly service: string
}

const RESULT_OPTIONS: ReadonlySet<string> = new Set(['waitMs', 'signal'])

/** Longer than any ticket waits for what is not coming. */
const LISTENING_MS = 24 * 60 * 60 * 1000

/** `asked`: what was enqueued, where that is known. */
export function ticketNamed<R>(space: Space, id: string, asked?: EnqueuedTask): Ticket<R> {
  if (typeof id !== 'string' || id === '' || id.includes('.')) {
    throw new SpaceError('INVALID_ARGUMENT', 'A ticket is named by its id, as client.enqueue gave it.')
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
  // Once its lease has ended nothing more can come.
  let found = await engine.find({
    template: resultTemplate(id),
    take: false,
    waitMs: Math.min(waitMs, Math.max(there.remainingMs, 0)),
    signal,
  })
  if (!found && waitMs > there.remainingMs) {
    // Its lease may have been renewed meanwhile, by a scheduler for the next attempt.
    const left = await engine.tickets.look(id)
    if (left)
      return resultWithin(space, id, { waitMs: waitMs - there.remainingMs, ...(signal ? { signal } : {}) }, asked)
    found = await engine.find({ template: resultTemplate(id), take: false, waitMs: 0 })
    if (!found) throw new SpaceError('TICKET_UNKNOWN', `The lease of the ticket ${id} has ended without an outcome.`)
  }
  if (!found) throw await pending(space, id, asked)
  return valueIn(decodeOutcome(answerIn(found)))
}

/** Returns TICKET_PENDING with the state of the ticket, and with what it lacks: a scheduler, or a worker that has its task. */
async function pending(space: Space, id: string, asked: EnqueuedTask | undefined): Promise<SpaceError> {
  try {
    const { state } = await statusOf(space, id)
    const lacking = state === 'scheduled' && (await lacksScheduler(space))
    const why = state === 'waiting' && asked ? ` ${await whyNotDone(space, asked.service, asked.task)}` : ''
    const how = lacking ? ` No scheduler has taken it. ${HOW_TO_SCHEDULE}` : why
    return new SpaceError('TICKET_PENDING', `The ticket ${id} is ${state}.${how}`)
  } catch {
    // The space went away between the wait and this.
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
  try {
    const answer = answerIn(found)
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

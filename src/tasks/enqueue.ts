/** enqueue: has a task done, now or later, by any worker that has it; its outcome is stored under a ticket. */
import { wallMs } from '../clock.js'
import type { Opening, TicketTerms } from '../engine/tickets.js'
import { encodeFields } from '../entry/codec.js'
import { onlyKnown } from '../errors/unknown-option.js'
import { SpaceError } from '../errors.js'
import { requestEntry, type SendOptions } from '../request.js'
import { digest } from '../runtime/digest.js'
import type { Space } from '../space.js'
import { checkedPriority, checkedTask, checkedTime } from './call.js'
import { LATER, toScheduler } from './later.js'
import { encodeCall } from './message.js'
import { type Ticket, ticketNamed } from './ticket.js'

export interface Backoff {
  /** `fixed`: the same before each attempt; `exponential`: doubled each time. */
  readonly kind: 'fixed' | 'exponential'
  /** Delay before the second attempt, in ms. */
  readonly delayMs: number
}

export interface RetryOptions {
  /** Maximum number of attempts, 1 to 1 000. Default 1. More than one needs a scheduler. */
  readonly attempts?: number | undefined
  /** Delays between attempts. Default: none. */
  readonly backoff?: Backoff | undefined
  /** The service of the workers. Default: the client's. */
  readonly service?: string | undefined
  /** Higher is taken first, -128 to 127. Default 0. */
  readonly priority?: number | undefined
  /**
   * Time from when the task is due until a worker must have done it, for each attempt, in ms. Default a day, at most 24
   * days.
   */
  readonly timeoutMs?: number | undefined
  /**
   * True if the task may run again when its worker dies after it has started. Default true. With several attempts a
   * death is a failed attempt.
   */
  readonly repeatable?: boolean | undefined
}

/** When a task is due: `delayMs` or `at`, not both. */
type DueTime =
  | {
      /** Delay until it is due, in ms. Default 0. A delay needs a scheduler, as does `at`. */
      readonly delayMs?: number | undefined
      readonly at?: undefined
    }
  | {
      /** When it is due: a date, or ms since 1970 on this machine's clock. */
      readonly at: Date | number
      readonly delayMs?: undefined
    }

export type EnqueueOptions = EnqueueTerms & DueTime

interface EnqueueTerms extends RetryOptions {
  /** How long its outcome is stored, in ms. Default a day. */
  readonly leaseMs?: number
  /**
   * A key of 1 to 255 characters: a second task under the same key is not run, and gets the ticket of the first, while
   * its outcome is stored.
   */
  readonly idempotencyKey?: string
  /** Ends the call, not the task. */
  readonly signal?: AbortSignal
}

export const DAY_MS = 24 * 60 * 60 * 1000
const RETRY_OPTIONS = ['attempts', 'backoff', 'service', 'priority', 'timeoutMs', 'repeatable']
const OPTIONS: ReadonlySet<string> = new Set([...RETRY_OPTIONS, 'delayMs', 'at', 'leaseMs', 'idempotencyKey', 'signal'])
const BACKOFF_OPTIONS: ReadonlySet<string> = new Set(['kind', 'delayMs'])
export const SCHEDULE_OPTIONS: ReadonlySet<string> = new Set(RETRY_OPTIONS)

/** A task waits this long for a scheduler. */
const UNTIL_SCHEDULED_MS = 7 * DAY_MS

/** A later task, as sent to a scheduler. */
export interface LaterTask extends Required<Omit<RetryOptions, 'backoff'>> {
  readonly ticket: string
  readonly task: string
  readonly input: unknown
  readonly backoff?: Backoff
  /** ms since 1970. */
  readonly dueAt: number
  readonly leaseMs: number
  /** Headers of the trace in which it was enqueued. */
  readonly trace?: readonly string[] | undefined
}

export async function enqueue(
  space: Space,
  ours: string,
  maxTicketBytes: number,
  task: string,
  input: unknown,
  options: EnqueueOptions = {},
  trace?: readonly string[],
): Promise<Ticket> {
  onlyKnown('enqueue', options, OPTIONS)
  checkedTask(task)
  const retries = checkedRetries(options, ours)
  const { leaseMs = DAY_MS, idempotencyKey: key, signal } = options
  checkedTime('leaseMs', leaseMs)
  const dueAt = dueAtOf(options)
  checkedKey(key)
  signal?.throwIfAborted()
  const id = key === undefined ? space.newId() : `k${digestOf(['enqueue', retries.service, key])}`
  const fingerprint = key === undefined ? 'own' : digestOf([task, encodeFields({ input }).toString('latin1')])
  const ticket = { id, fingerprint, keptMs: leaseMs, maxBytes: maxTicketBytes }
  const opening = await openTicket(space, ticket, { ...retries, ticket: id, task, input, dueAt, leaseMs, trace })
  if (opening === 'differs') throw new SpaceError('KEY_REUSED', `The key is ${JSON.stringify(key)}.`)
  signal?.throwIfAborted()
  return ticketNamed(space, id, { task, service: retries.service })
}

/** Opens a ticket unless it is open: for a worker, or for a scheduler. */
export function openTicket(space: Space, terms: Omit<TicketTerms, 'leaseMs'>, wanted: LaterTask): Promise<Opening> {
  const { ticket, task, input, service, priority, timeoutMs, repeatable, attempts, dueAt, leaseMs, trace } = wanted
  const inMs = dueAt - wallMs()
  if (attempts > 1 || inMs > 0) {
    // A scheduler renews the lease for each attempt.
    const ticketTerms = { ...terms, leaseMs: Math.max(inMs, 0) + UNTIL_SCHEDULED_MS + leaseMs }
    return space.engine.tickets.open(ticketTerms, laterEntry(space, wanted))
  }
  const outgoing = { service, task, timeoutMs, priority, repeatable }
  const entry = requestEntry(
    `${ticket}.${space.newId()}`,
    encodeCall(task, input, { deadLettersOnFailure: true, trace }),
    outgoing,
  )
  return space.engine.tickets.open({ ...terms, leaseMs: timeoutMs + leaseMs }, entry)
}

/** The id is not that of a request of the ticket: the scheduler's response is not the ticket's outcome. */
function laterEntry(space: Space, later: LaterTask) {
  const terms: SendOptions = {
    ...toScheduler(LATER),
    timeoutMs: UNTIL_SCHEDULED_MS + Math.max(later.dueAt - wallMs(), 0),
  }
  return requestEntry(`${space.newId()}.${LATER}`, encodeCall(LATER, later), terms)
}

export function checkedRetries(
  options: RetryOptions,
  ours: string,
): Required<Omit<RetryOptions, 'backoff'>> & Pick<RetryOptions, 'backoff'> {
  const { attempts = 1, backoff, service = ours, priority = 0, timeoutMs = DAY_MS, repeatable = true } = options
  if (!Number.isInteger(attempts) || attempts < 1 || attempts > 1_000)
    throw wrong('attempts must be an integer from 1 to 1000.')
  if (backoff !== undefined) {
    onlyKnown('backoff', backoff, BACKOFF_OPTIONS)
    if (backoff?.kind !== 'fixed' && backoff?.kind !== 'exponential')
      throw wrong('backoff.kind is fixed or exponential.')
    checkedTime('backoff.delayMs', backoff.delayMs, 0)
  }
  if (typeof service !== 'string' || service === '') throw wrong('service is a text of at least one character.')
  checkedPriority(priority)
  checkedTime('timeoutMs', timeoutMs)
  return { attempts, ...(backoff ? { backoff } : {}), service, priority, timeoutMs, repeatable: Boolean(repeatable) }
}

function dueAtOf({ delayMs, at }: EnqueueOptions): number {
  const now = wallMs()
  if (at === undefined) {
    if (delayMs !== undefined && !(typeof delayMs === 'number' && delayMs >= 0 && Number.isFinite(delayMs))) {
      throw wrong('delayMs must be a number of milliseconds ≥ 0.')
    }
    return now + (delayMs ?? 0)
  }
  if (delayMs !== undefined) throw wrong('Give delayMs or at, not both.')
  const due = at instanceof Date ? at.getTime() : at
  if (typeof due !== 'number' || !Number.isFinite(due)) throw wrong('at is a date, or milliseconds since 1970.')
  return due
}

/** As in the header Idempotency-Key. */
function checkedKey(key: unknown): void {
  if (key === undefined) return
  if (typeof key !== 'string' || key === '' || key.length > 255 || !key.isWellFormed()) {
    throw wrong('idempotencyKey is a text of 1 to 255 characters.')
  }
}

/** Returns the digest of a list: no part can be taken for the border between two. */
export const digestOf = (parts: readonly string[]): string => digest(JSON.stringify(parts))

const wrong = (detail: string): SpaceError => new SpaceError('INVALID_ARGUMENT', detail)

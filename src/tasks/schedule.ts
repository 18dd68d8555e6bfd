/** schedule: has a task done again and again, by a cron expression or at an interval; schedulers run it, list it and end it. */

import { wallMs } from '../clock.js'
import { onlyKnown } from '../errors/unknown-option.js'
import { isSpaceError, SpaceError } from '../errors.js'
import { sendRequest } from '../request.js'
import { withDeadline } from '../runtime/deadline.js'
import type { Space } from '../space.js'
import { checkedTask, checkedTime } from './call.js'
import { checkedRetries, type RetryOptions, SCHEDULE_OPTIONS } from './enqueue.js'
import { HOW_TO_SCHEDULE, toScheduler } from './later.js'
import { decodeOutcome, encodeCall, resultOf } from './message.js'

/** When a task is due: by a cron expression, or every `everyMs`. */
export type Times =
  | {
      /** Five fields, or six with seconds in front. */
      readonly cron: string
      /** An IANA time zone. Default `UTC`. */
      readonly timeZone?: string
    }
  | { readonly everyMs: number }

export interface ScheduleOptions extends RetryOptions {
  /** How long to wait for a scheduler's answer, in ms. Default 30 000. */
  readonly callTimeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

type AskOptions = Pick<ScheduleOptions, 'callTimeoutMs' | 'signal'>

/** A schedule, as sent to a scheduler. */
export interface Scheduled {
  readonly name: string
  readonly times: Times
  readonly task: string
  readonly input: unknown
  readonly retries: ReturnType<typeof checkedRetries>
  /** Headers of the trace in which it was declared. */
  readonly trace?: readonly string[] | undefined
}

/** A schedule, as schedulers tell of it. */
export interface Planned {
  readonly name: string
  readonly task: string
  readonly service: string
  readonly times: Times
  /** When it is due next, ms since 1970. */
  readonly next: number
}

const UNSCHEDULE_OPTIONS: ReadonlySet<string> = new Set(['callTimeoutMs', 'signal'])
const OPTIONS: ReadonlySet<string> = new Set([...SCHEDULE_OPTIONS, ...UNSCHEDULE_OPTIONS])
const CRON_TIMES: ReadonlySet<string> = new Set(['cron', 'timeZone'])
const EVEN_TIMES: ReadonlySet<string> = new Set(['everyMs'])

export async function schedule(
  space: Space,
  ours: string,
  name: string,
  times: Times,
  task: string,
  input: unknown,
  options: ScheduleOptions = {},
  trace?: readonly string[],
): Promise<{ readonly next: Date }> {
  onlyKnown('schedule', options, OPTIONS)
  checkedName(name)
  await checkedTimes(times)
  checkedTask(task)
  const scheduled: Scheduled = { name, times, task, input, retries: checkedRetries(options, ours), trace }
  const next = await askScheduler(space, 'schedule', scheduled, options)
  return { next: new Date(Number(next)) }
}

export async function unschedule(space: Space, name: string, options: AskOptions = {}) {
  onlyKnown('unschedule', options, UNSCHEDULE_OPTIONS)
  checkedName(name)
  return (await askScheduler(space, 'unschedule', name, options)) === true
}

/** Returns all schedules, by name, at most 1,000. @throws SpaceError REQUEST_TIMEOUT: no scheduler runs */
export async function schedules(space: Space, options: AskOptions = {}): Promise<Planned[]> {
  onlyKnown('schedules', options, UNSCHEDULE_OPTIONS)
  return (await askScheduler(space, 'schedules', undefined, options)) as Planned[]
}

/** Has the task of a schedule done now, once more. Returns false if no schedule has this name. Throws as schedules(). */
export async function runSchedule(space: Space, name: string, options: AskOptions = {}): Promise<boolean> {
  onlyKnown('runSchedule', options, UNSCHEDULE_OPTIONS)
  checkedName(name)
  return (await askScheduler(space, 'runSchedule', name, options)) === true
}

async function askScheduler(
  space: Space,
  task: string,
  input: unknown,
  { callTimeoutMs: timeoutMs = 30_000, signal }: AskOptions,
): Promise<unknown> {
  checkedTime('callTimeoutMs', timeoutMs)
  signal?.throwIfAborted()
  const sent = sendRequest(space, encodeCall(task, input), { ...toScheduler(task), timeoutMs })
  const late = (): SpaceError => new SpaceError('REQUEST_TIMEOUT', `No scheduler took the request. ${HOW_TO_SCHEDULE}`)
  try {
    return resultOf(
      decodeOutcome(await withDeadline(sent.response, { timeoutMs, signal, late, onGivenUp: sent.withdraw })),
    )
  } catch (error) {
    if (!isSpaceError(error, 'TASK_FAILED')) throw error
    const { message } = error.cause as Error
    throw new SpaceError('INVALID_ARGUMENT', message, { cause: error.cause })
  }
}

function checkedName(name: unknown): void {
  // BullMQ makes keys of it, with colons between their parts.
  if (typeof name !== 'string' || name === '' || name.length > 100 || name.includes(':') || !name.isWellFormed()) {
    throw new SpaceError('INVALID_ARGUMENT', 'The name of a schedule must have 1 to 100 characters and no colon.')
  }
}

async function checkedTimes(times: Times): Promise<void> {
  if (times !== undefined && times !== null)
    onlyKnown('A schedule', times, 'everyMs' in Object(times) ? EVEN_TIMES : CRON_TIMES)
  const { cron, timeZone, everyMs } = (times ?? {}) as { cron?: unknown; timeZone?: unknown; everyMs?: unknown }
  if (cron === undefined && everyMs !== undefined) {
    checkedTime('everyMs', everyMs)
    return
  }
  const isText =
    typeof cron === 'string' && cron.length <= 200 && (timeZone === undefined || typeof timeZone === 'string')
  if (!isText)
    throw new SpaceError(
      'INVALID_ARGUMENT',
      'A schedule must be { cron, timeZone } with two strings, or { everyMs } with a number.',
    )
  // Imported on the first call: most processes schedule no tasks.
  const { checkedCron } = await import('./cron.js')
  checkedCron(cron, timeZone as string | undefined, wallMs())
}

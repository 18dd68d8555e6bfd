/** Asked: the requests that schedulers answer: a later task; a schedule, its end, one more run of it, and all schedules. */

import type { Logger } from '../log.js'
import { type HeldRequest, type Serving, serveRequests } from '../request.js'
import type { Space } from '../space.js'
import type { LaterTask } from '../tasks/enqueue.js'
import { failureOf } from '../tasks/failure.js'
import { SCHEDULER } from '../tasks/later.js'
import { decodeCall, encodeOutcome } from '../tasks/message.js'
import type { Planned, Scheduled } from '../tasks/schedule.js'

export interface Queueing {
  later(task: LaterTask): Promise<void>
  /** Returns when it is due next, ms since 1970. */
  schedule(scheduled: Scheduled): Promise<number>
  unschedule(name: string): Promise<boolean>
  /** Has the task of a schedule done now, once more. Returns false if there is no such schedule. */
  runSchedule(name: string): Promise<boolean>
  /** Returns all schedules, by name, at most MOST_PLANNED. */
  schedules(): Promise<Planned[]>
}

export const MOST_PLANNED = 1_000

/** A scheduler that has been started. */
export interface RunningScheduler {
  stop(): Promise<void>
}

/** Requests that are answered at a time. */
const CONCURRENCY = 64
/** Delay before a failed request is given back. */
const GIVE_BACK_MS = 1_000

export function serveAsked(space: Space, queueing: Queueing, logger: Logger): Promise<Serving> {
  const onTaken = (taken: HeldRequest): void => {
    answer(taken, queueing, logger).catch((err) =>
      logger.warn({ id: taken.id, err }, 'an answer did not reach the space'),
    )
  }
  return serveRequests(space, SCHEDULER, CONCURRENCY, onTaken, {
    names: ['later', 'schedule', 'unschedule', 'runSchedule', 'schedules'],
  })
}

async function answer(taken: HeldRequest, queueing: Queueing, logger: Logger): Promise<void> {
  let value: unknown
  try {
    const { task, input } = decodeCall(taken.request)
    if (task === 'later') value = await queueing.later(input as LaterTask)
    else if (task === 'schedule') value = await queueing.schedule(input as Scheduled)
    else if (task === 'unschedule') value = await queueing.unschedule(String(input))
    else if (task === 'runSchedule') value = await queueing.runSchedule(String(input))
    else value = await queueing.schedules()
  } catch (error) {
    if (taken.request.target === 'later') {
      // The program does not wait for this answer, but for the task.
      logger.error({ id: taken.id, err: error }, 'a later task could not be queued; its request is returned')
      setTimeout(() => taken.release().catch(() => {}), GIVE_BACK_MS)
      return
    }
    await taken.complete(encodeOutcome({ kind: 'failed', failure: failureOf(error) }))
    return
  }
  await taken.complete(encodeOutcome({ kind: 'done', value }))
}

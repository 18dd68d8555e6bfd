/** Missed: firings of a schedule that were due while no scheduler ran. BullMQ goes on from now; these are added, each once. */
import type { Job, Queue } from 'bullmq'
import { wallMs } from '../clock.js'

/** When a cron expression is due next after a time. */
export type Next = (time: number, repeat: { pattern: string; tz?: string }) => number | undefined

/** More than these are no firings that somebody waits for. */
const MOST = 1_000

/** The job of a schedule is late: what was due between it and now has nobody else to see to it. Added twice it is the same job. */
export async function missedBefore<D>(queue: Queue<D>, job: Job<D>, nextOf: Next): Promise<void> {
  const { repeatJobKey, opts } = job
  const { prevMillis, repeat } = opts as {
    prevMillis?: number
    repeat?: { pattern?: string; every?: number; tz?: string }
  }
  // A second attempt is late for a reason of its own.
  if (!repeatJobKey || prevMillis === undefined || !repeat || job.attemptsMade > 0) return
  const now = wallMs()
  const times = timesBetween(repeat, prevMillis, now, nextOf)
  if (times.length === 0) return
  const { attempts, backoff, removeOnComplete, removeOnFail } = opts
  const jobs = times.map((time) => ({
    name: job.name,
    data: job.data,
    opts: { attempts, backoff, removeOnComplete, removeOnFail, jobId: `repeat:${repeatJobKey}:${time}` },
  }))
  await queue.addBulk(jobs as Parameters<Queue<D>['addBulk']>[0])
}

/** After `from`, and not after `now`; the last ones, if they are too many. */
function timesBetween(
  { pattern, every, tz }: { pattern?: string; every?: number; tz?: string },
  from: number,
  now: number,
  nextOf: Next,
): number[] {
  const times: number[] = []
  const next = (time: number): number | undefined =>
    pattern ? nextOf(time, { pattern, ...(tz ? { tz } : {}) }) : every ? time + every : undefined
  for (let time = next(from); time !== undefined && time <= now; time = next(time)) {
    times.push(time)
    if (times.length > MOST) times.shift()
  }
  return times
}

/** Missed: firings of a schedule that were due while no scheduler ran. */

/** What a schedule repeats by: a cron expression, in a time zone, or so many ms. */
export interface Repeat {
  readonly pattern?: string
  readonly every?: number
  readonly tz?: string
}

/** When a cron expression is due next after a time. */
export type Next = (time: number, repeat: { pattern: string; tz?: string }) => number | undefined

/** More than these are no firings that somebody waits for. */
const MOST = 1_000

/** After `from`, and not after `now`; the last ones, if they are too many. */
export function missedBetween({ pattern, every, tz }: Repeat, from: number, now: number, nextOf: Next): number[] {
  const times: number[] = []
  const next = (time: number): number | undefined =>
    pattern ? nextOf(time, { pattern, ...(tz ? { tz } : {}) }) : every ? time + every : undefined
  for (let time = next(from); time !== undefined && time <= now; time = next(time)) {
    times.push(time)
    if (times.length > MOST) times.shift()
  }
  return times
}

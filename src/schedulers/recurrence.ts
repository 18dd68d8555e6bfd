/** Recurrence: the firings of a schedule, and those that were missed. */

import { nextFiring } from '../tasks/cron.js'
import type { Times } from '../tasks/schedule.js'

/** A cron expression with its time zone, or an interval in ms, with BullMQ's names. */
export interface Recurrence {
  readonly pattern?: string
  readonly tz?: string
  readonly every?: number
}

/** Maximum number of missed firings that are made up for. */
const MOST = 1_000

export const recurrenceOf = (times: Times): Recurrence =>
  'cron' in times ? { pattern: times.cron, tz: times.timeZone ?? 'UTC' } : { every: times.everyMs }

/** Returns the first moment after `after`, a moment at which it fires; undefined if it fires never again. */
export const firingAfter = (
  { pattern, tz = 'UTC', every = Number.NaN }: Recurrence,
  after: number,
): number | undefined => (pattern === undefined ? after + every : nextFiring(pattern, tz, after))

/** Returns the first firing after `now` of a schedule that is declared now. Throws a TypeError without one. */
export function firstFiring(recurrence: Recurrence, now: number): number {
  const first = firingAfter(recurrence, now)
  if (first === undefined) throw new TypeError(`There is no date that ${recurrence.pattern} means.`)
  return first
}

/** Returns the firings after `from`, a moment at which it fires, up to `now`: the last 1,000 of them. */
export function missedBetween(recurrence: Recurrence, from: number, now: number): number[] {
  const { every } = recurrence
  if (every !== undefined) {
    const skipped = Math.max(Math.floor((now - from) / every) - MOST, 0)
    return firingsBetween(recurrence, from + skipped * every, now)
  }
  // From the end: of a schedule that fires each second, a week has 604,800.
  for (let span = MOST * 1_000; ; span *= 2) {
    const start = Math.max(from, now - span)
    const firings = firingsBetween(recurrence, start, now)
    if (firings.length >= MOST || start === from) return firings.slice(-MOST)
  }
}

function firingsBetween(recurrence: Recurrence, from: number, now: number): number[] {
  const firings: number[] = []
  for (let at = firingAfter(recurrence, from); at !== undefined && at <= now; at = firingAfter(recurrence, at)) {
    firings.push(at)
  }
  return firings
}

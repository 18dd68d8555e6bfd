/** When a living process was cut off from the space, so that this may take it for dead, and forget what it had asked. */
import type { Event, Operation } from './history.js'

/** It may be buried, and what it asked with it, until its link has been back for so long. */
const AFTERMATH_US = 2_000_000

const ENDS: Readonly<Record<string, Event['what']>> = { frozen: 'thawed', cut: 'healed', 'redis-killed': 'redis-back' }

/** Tells whether its process, or Redis, was out while an operation was under way. */
export function outages(events: readonly Event[]): (operation: Operation) => boolean {
  const spans = events.flatMap(({ what, p, at }, i) => {
    const end = ENDS[what]
    if (!end) return []
    const back = events.slice(i).find((event) => event.what === end && event.p === p)
    return [{ p, from: at, to: (back?.at ?? Number.POSITIVE_INFINITY) + AFTERMATH_US }]
  })
  return ({ p, invoked, returned }) =>
    spans.some((span) => (span.p === p || span.p === '*') && span.from < returned && invoked < span.to)
}

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

/** A shorter absence of all workers is not why a request was given up. */
const MISSED_US = 1_000_000

/**
 * Tells whether for a while of an operation all workers were killed and not yet replaced, frozen, or cut off: on a busy
 * machine that may take as long as a deadline. Of a history that has no workers nothing is said.
 */
export function workerless(events: readonly Event[]): (operation: Pick<Operation, 'invoked' | 'returned'>) => boolean {
  const outs: (readonly [from: number, to: number])[][] = []
  for (const { p, what, at } of events) {
    if (what !== 'hello' || !p.startsWith('w')) continue
    const own = events.filter((event) => event.p === p && event.at > at)
    const gone = own.find((event) => event.what === 'killed' || event.what === 'bye')
    const out: (readonly [number, number])[] = [[Number.NEGATIVE_INFINITY, at]]
    for (const [i, event] of own.entries()) {
      const end = ENDS[event.what]
      if (!end) continue
      const back = own.slice(i).find((later) => later.what === end)
      out.push([event.at, (back?.at ?? Number.POSITIVE_INFINITY) + AFTERMATH_US])
    }
    if (gone) out.push([gone.at, Number.POSITIVE_INFINITY])
    outs.push(out)
  }
  if (outs.length === 0) return () => false
  const isOut = (at: number): boolean => outs.every((out) => out.some(([from, to]) => from <= at && at < to))
  const times = [...new Set(outs.flat(2))].filter(Number.isFinite).sort((a, b) => a - b)
  return ({ invoked, returned }) => {
    const marks = [invoked, ...times.filter((at) => invoked < at && at < returned), returned]
    return marks.some((at, i) => i > 0 && isOut(marks[i - 1]!) && at - marks[i - 1]! >= MISSED_US)
  }
}

/** After the faults everything settles: each process finishes by itself, and each request has an answer in time. */
import { type Event, groupBy } from '../history.js'
import type { Facts } from './index.js'

/** A process that was cut off may be buried, and its requests with it, until its link has been back for this long. */
const AFTERMATH_US = 2_000_000

/** A fault that can make the space take a living process for dead, until the event that ends it. */
const OUTAGES = [
  ['frozen', 'thawed'],
  ['cut', 'healed'],
] as const

export function settled({ history: { events }, requests }: Facts): string[] {
  const wrong: string[] = []
  const of = groupBy(events, ({ p }) => p)
  const ends = new Set(events.filter(({ what }) => what === 'killed' || what === 'bye').map(({ p }) => p))
  for (const { p, what } of events) if (what === 'hello' && !ends.has(p)) wrong.push(`${p} did not finish`)
  // Who dies while Redis is away is buried at the end of its lease, later than the deadline of what it held.
  const mayBeLate = ['killed', 'redis-killed'].every((fault) => events.some(({ what }) => what === fault))
  for (const { value, asked, outcomes, timedOut } of requests.lives.values()) {
    const own = of.get(asked.p) ?? []
    if (asked.out !== 'ok' || outcomes.length > 0 || own.some(({ what }) => what === 'killed')) continue
    if (!timedOut) wrong.push(`${value} has no answer, and its gateway did not give it up`)
    else if (!mayBeLate && !wasOut(own, asked.invoked, timedOut.at))
      wrong.push(`${value} was not answered by its deadline`)
  }
  return wrong
}

const wasOut = (own: readonly Event[], from: number, to: number): boolean =>
  OUTAGES.some(([begin, end]) =>
    own.some((event, i) => {
      if (event.what !== begin || event.at > to) return false
      const over = own.slice(i).find(({ what }) => what === end)
      return (over?.at ?? Number.POSITIVE_INFINITY) + AFTERMATH_US > from
    }),
  )

/** After the faults everything settles: each process finishes by itself, and each request has an answer in time. */
import { groupBy } from '../history.js'
import { outages, workerless } from '../outages.js'
import type { Facts } from './index.js'

export function settled({ history: { events }, requests }: Facts): string[] {
  const wrong: string[] = []
  const wasOut = outages(events)
  const hadNoWorker = workerless(events)
  const of = groupBy(events, ({ p }) => p)
  const ends = new Set(events.filter(({ what }) => what === 'killed' || what === 'bye').map(({ p }) => p))
  for (const { p, what } of events) if (what === 'hello' && !ends.has(p)) wrong.push(`${p} did not finish`)
  // Who dies while Redis is away is buried at the end of its lease, later than the deadline of what it held.
  const mayBeLate = ['killed', 'redis-killed'].every((fault) => events.some(({ what }) => what === fault))
  for (const { value, asked, outcomes, timedOut } of requests.lives.values()) {
    const own = of.get(asked.p) ?? []
    if (asked.out !== 'ok' || outcomes.length > 0 || own.some(({ what }) => what === 'killed')) continue
    if (!timedOut) wrong.push(`${value} has no answer, and its gateway did not give it up`)
    else if (
      !mayBeLate &&
      !wasOut({ ...asked, returned: timedOut.at }) &&
      !hadNoWorker({ ...asked, returned: timedOut.at })
    )
      wrong.push(`${value} was not answered by its deadline`)
  }
  return wrong
}

/** A transaction is all or nothing, and until it commits nobody else sees any of it. */
import type { Entries } from '../entries.js'
import type { Operation } from '../history.js'
import { STAYS_MS } from './books.js'
import { type Facts, told } from './index.js'

export function allOrNothing({ entries }: Facts): string[] {
  const wrong: string[] = []
  for (const tx of entries.transactions.values()) {
    const written = tx.writes.flatMap(({ values = [] }) => values.map((value) => entries.lives.get(value)!))
    const since = tx.end?.what === 'commit' ? tx.end.invoked : Number.POSITIVE_INFINITY
    for (const { value, met } of written) {
      const early = met.find(({ returned }) => returned < since)
      if (early) wrong.push(`${value} of ${tx.id} was seen before it committed, by ${told(early)}`)
    }
  }
  return [...wrong, ...halves(entries)]
}

/**
 * Cut off in its commit, and nobody has met what it wrote: then it did not commit, so what it took is there again. Unless others have taken
 * the one or the other without knowing; each such take explains one. What another transaction has taken that was cut off, too, or a cancel
 * that was, may be gone by that.
 */
function halves({ transactions, lives, unknownTakes }: Entries): string[] {
  const spent = new Set<Operation>()
  const cutOff = [...transactions.values()]
    .filter(({ committed }) => committed === 'maybe')
    .sort((a, b) => b.end!.invoked - a.end!.invoked)
  return cutOff.flatMap(({ id, end, takes, writes }) => {
    const isGone = ({ value }: Operation): boolean => {
      const taken = lives.get(value!)
      const byOthers = taken?.mayEnd.some(({ tx }) => tx !== id)
      return taken !== undefined && taken.ends.length === 0 && !byOthers && taken.leaseMs >= STAYS_MS
    }
    const gone = takes.find(isGone)
    if (!gone) return []
    const possible = unknownTakes.filter(({ returned }) => returned >= end!.invoked)
    const hidden = possible.filter(({ group }) => writes.some((write) => write.group === group))
    if (hidden.length >= writes.length) return []
    const taker = possible.find((take) => take.group === gone.group && !spent.has(take))
    if (!taker) return [`${id}: what it took is gone, and what it wrote never came (${told(end!)})`]
    spent.add(taker)
    return []
  })
}

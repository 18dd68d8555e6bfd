/** A transaction is all or nothing, and until it commits nobody else sees any of it. */
import type { Transaction } from '../entries.js'
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
    if (tx.committed === 'maybe' && isHalf(tx, entries)) {
      wrong.push(`${tx.id} was cut off: what it took is gone, and what it wrote never came (${told(tx.end!)})`)
    }
  }
  return wrong
}

/**
 * Cut off in its commit, and nobody has met what it wrote: then it did not commit, so what it took is there again. Unless others may have
 * taken the one or the other without knowing.
 */
function isHalf({ takes, writes }: Transaction, { lives, unknownTakes }: Facts['entries']): boolean {
  const uncertain = new Set(unknownTakes.map(({ group }) => group))
  if ([...takes, ...writes].some(({ group }) => uncertain.has(group))) return false
  return takes.some(({ value }) => {
    const taken = lives.get(value!)
    return taken !== undefined && taken.ends.length === 0
  })
}

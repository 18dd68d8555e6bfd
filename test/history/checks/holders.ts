/** No two holders: an entry is taken once, and the times during which two claims on a request were certainly current do not overlap. */
import type { ClaimLife } from '../requests.js'
import { type Facts, told } from './index.js'

export function oneHolder({ entries, requests }: Facts): string[] {
  const twice = [...entries.lives.values()]
    .filter(({ ends }) => ends.length > 1)
    .map(({ value, ends }) => `${value} was ended twice: ${ends.map(told).join(', ')}`)
  const overlaps: string[] = []
  for (const { value, claims } of requests.lives.values()) {
    const held = claims.flatMap(certainHold).sort((a, b) => a.from - b.from)
    let latest: Hold | undefined
    for (const hold of held) {
      if (latest && hold.from < latest.to) {
        overlaps.push(`${value} was held under ${latest.claim} and ${hold.claim} at ${hold.from}`)
      }
      if (!latest || hold.to > latest.to) latest = hold
    }
  }
  return [...twice, ...overlaps]
}

interface Hold {
  readonly claim: string
  readonly from: number
  readonly to: number
}

/** Whoever was told yes under a claim had it from its delivery until it asked. */
function certainHold({ claim, deliveredAt, operations }: ClaimLife): Hold[] {
  const accepted = operations.filter(({ what, out }) => out === 'ok' && what !== 'release')
  if (accepted.length === 0) return []
  return [{ claim, from: deliveredAt, to: Math.max(...accepted.map(({ invoked }) => invoked)) }]
}

/** The books of the whole run: what went in has come out, or was there at the end; and nothing else came out. */
import type { EntryLife } from '../entries.js'
import type { Operation } from '../history.js'
import { type Facts, told } from './index.js'

export function nothingInvented({ entries, requests }: Facts): string[] {
  const unwritten = [...entries.lives.values()]
    .filter(({ exists, met }) => exists === 'no' && met.length > 0)
    .map(({ value, met }) => `${value} was never written for others, and was met by ${told(met[0]!)}`)
  const others = [...entries.lives.values()].flatMap(({ value, group, met }) =>
    met
      .filter((find) => find.group !== undefined && find.group !== group)
      .map((find) => `${value} is of ${group}, and was found among ${find.group}: ${told(find)}`),
  )
  return [
    ...others,
    ...entries.invented.map((operation) => `${operation.value} was never written: ${told(operation)}`),
    ...unwritten,
    ...requests.invented.map(({ value, p }) => `${value} was never asked for, and was handed to ${p}`),
  ]
}

/** What has no lease to speak of stays until it is taken or cancelled; at the end all that stood there was taken. */
export const STAYS_MS = 60_000

/**
 * An entry of which nobody knows who took it may have been taken by a take of which nobody knows what it took: one each. Of all ways to
 * match them the greedy one is as good as any, since a take explains an entry if it could still happen after the entry was last met.
 */
export function nothingLost({ entries: { lives, unknownTakes } }: Facts): string[] {
  const lost: string[] = []
  const takes = new Map<string, Operation[]>()
  for (const take of unknownTakes) takes.set(take.group!, [...(takes.get(take.group!) ?? []), take])
  const missing = [...lives.values()]
    .filter(
      ({ exists, leaseMs, ends, mayEnd }) =>
        exists === 'yes' && leaseMs >= STAYS_MS && ends.length === 0 && mayEnd.length === 0,
    )
    .sort((a, b) => lastMet(b) - lastMet(a))
  for (const life of missing) {
    const possible = takes.get(life.group)?.findIndex(({ returned }) => returned >= lastMet(life)) ?? -1
    if (possible >= 0) takes.get(life.group)!.splice(possible, 1)
    else lost.push(`${life.value} was written by ${told(life.written)}, and is neither taken nor there`)
  }
  return lost
}

const lastMet = ({ earliest, met }: EntryLife): number => Math.max(earliest, ...met.map(({ invoked }) => invoked))

/**
 * A find that found nothing, while a match was certainly there and free for as long as it took. Only of those that do not wait: the end of a
 * wait may come before the answer, when its process or its link was held up.
 */
import type { Entries, EntryLife } from '../entries.js'
import { groupBy, type Operation } from '../history.js'
import { type Facts, told } from './index.js'
import { thereUntil } from './linearizable.js'

/** So long after its end an operation that was cut off may still hold something: until its process is buried. */
const BURIED_US = 3_000_000
/** The same, if Redis was away when it died: only the end of its lease tells. */
const BURIED_LATE_US = 17_000_000

export function nothingOverlooked({ history: { operations, events }, entries }: Facts): string[] {
  const lives = groupBy(
    [...entries.lives.values()].filter(({ exists }) => exists === 'yes'),
    ({ group }) => group,
  )
  const burial = events.some(({ what }) => what === 'redis-killed') ? BURIED_LATE_US : BURIED_US
  const killed = new Map(events.filter(({ what }) => what === 'killed').map(({ p, at }) => [p, at]))
  // Whoever takes may hold a match for a moment, also one that it does not get in the end; so may who reads under a transaction.
  const holding = groupBy(
    operations.filter(({ what, tx }) => what === 'take' || (what === 'read' && tx !== undefined)),
    ({ group }) => group,
  )
  const freeAgain = (operation: Operation): number => {
    const tx = operation.tx === undefined ? undefined : entries.transactions.get(operation.tx)
    const end = tx ? (tx.end?.returned ?? Number.POSITIVE_INFINITY) : operation.returned
    const isSure = operation.out === 'ok' && tx?.committed !== 'maybe'
    return (
      Math.min(end, killed.get(operation.p) ?? Number.POSITIVE_INFINITY) + (isSure && Number.isFinite(end) ? 0 : burial)
    )
  }
  const wrong: string[] = []
  for (const find of operations) {
    if (
      (find.what !== 'take' && find.what !== 'read') ||
      find.out !== 'none' ||
      find.tx !== undefined ||
      find.waitMs !== 0
    )
      continue
    const there = lives.get(find.group!)?.find((life) => isThere(life, find, entries))
    if (!there) continue
    const others = holding.get(find.group!) ?? []
    if (others.some((other) => other !== find && other.invoked < find.returned && freeAgain(other) > find.invoked))
      continue
    wrong.push(`${there.value} was there (${told(there.written)}), and ${told(find)} found nothing`)
  }
  return wrong
}

const isThere = (life: EntryLife, find: Operation, entries: Entries): boolean =>
  life.latest < find.invoked && find.returned < thereUntil(life, entries)

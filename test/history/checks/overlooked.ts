/**
 * A find that found nothing, while a match was certainly there and free for as long as it took. Only of those that do not wait: the end of a
 * wait may come before the answer, when its process or its link was held up.
 */
import type { Entries, EntryLife, Transaction } from '../entries.js'
import { groupBy, type Operation } from '../history.js'
import { type Facts, told } from './index.js'
import { thereUntil } from './linearizable.js'

/** So long after its end an operation that was cut off may still hold something: until its process is buried. */
const BURIED_US = 3_000_000
/** The same, if Redis was away when it died: only the end of its lease tells. */
const BURIED_LATE_US = 17_000_000

export function nothingOverlooked({ history: { operations, events }, entries }: Facts): string[] {
  const there = groupBy(
    [...entries.lives.values()].filter(({ exists }) => exists === 'yes').map((life) => stayOf(life, entries)),
    ({ life }) => life.group,
  )
  const burial = events.some(({ what }) => what === 'redis-killed') ? BURIED_LATE_US : BURIED_US
  const killed = new Map(events.filter(({ what }) => what === 'killed').map(({ p, at }) => [p, at]))
  const freeAgain = (operation: Operation): number => {
    const tx = operation.tx === undefined ? undefined : entries.transactions.get(operation.tx)
    const end = Math.min(
      (tx ? tx.end : operation)?.returned ?? Number.POSITIVE_INFINITY,
      killed.get(operation.p) ?? Number.POSITIVE_INFINITY,
    )
    return end + (isSure(operation, tx) ? 0 : burial)
  }
  // Whoever takes may hold a match for a moment, also one that it does not get in the end; so may who reads under a transaction.
  const holding = groupBy(
    operations
      .filter(({ what, tx }) => what === 'take' || (what === 'read' && tx !== undefined))
      .map((operation) => ({ operation, until: freeAgain(operation) })),
    ({ operation }) => operation.group,
  )
  const wrong: string[] = []
  for (const find of operations) {
    if (!isEmptyHanded(find)) continue
    const seen = there.get(find.group!)?.find(({ from, until }) => from < find.invoked && find.returned < until)
    if (!seen) continue
    const others = holding.get(find.group!) ?? []
    const mayHold = ({ operation, until }: (typeof others)[number]): boolean =>
      operation !== find && operation.invoked < find.returned && until > find.invoked
    if (others.some(mayHold)) continue
    wrong.push(`${seen.life.value} was there (${told(seen.life.written)}), and ${told(find)} found nothing`)
  }
  return wrong
}

/** Whether it holds nothing once it has ended: it got what it has, or found nothing at once. */
const isSure = ({ out, waitMs }: Operation, tx: Transaction | undefined): boolean =>
  tx
    ? tx.committed !== 'maybe' && tx.end !== undefined && ['ok', 'refused'].includes(tx.end.out)
    : out === 'ok' || (out === 'none' && waitMs === 0)

const isEmptyHanded = ({ what, out, tx, waitMs }: Operation): boolean =>
  (what === 'take' || what === 'read') && out === 'none' && tx === undefined && waitMs === 0

const stayOf = (life: EntryLife, entries: Entries) => ({ life, from: life.latest, until: thereUntil(life, entries) })

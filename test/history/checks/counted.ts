/** Updates of one counter: each counts once, a later one behind an earlier one, and at last all of them are counted. */
import type { Operation } from '../history.js'
import type { Facts } from './index.js'

export function countedOnce({ history: { operations, events } }: Facts): string[] {
  const wrong: string[] = []
  const updates = operations.filter(({ what }) => what === 'update')
  const done = updates.filter(({ out }) => out === 'ok')
  const by = new Map<number, Operation>()
  for (const update of done) {
    const other = by.get(update.count!)
    if (other) wrong.push(`${update.op} and ${other.op} have both made it ${update.count}`)
    by.set(update.count!, update)
  }
  const returned = [...done].sort((a, b) => a.returned - b.returned)
  let highest = 0
  let next = 0
  for (const { op, invoked, count } of [...done].sort((a, b) => a.invoked - b.invoked)) {
    for (; next < returned.length && returned[next]!.returned < invoked; next++)
      highest = Math.max(highest, returned[next]!.count!)
    if (count! <= highest) wrong.push(`${op} has made it ${count}, although it was ${highest} before`)
  }
  const last = events.find(({ what }) => what === 'tally')?.count
  const open = updates.filter(({ out }) => out === 'unknown').length
  if (last !== undefined && (last < done.length || last > done.length + open))
    wrong.push(`${done.length} to ${done.length + open} updates have made it ${last}`)
  return wrong
}

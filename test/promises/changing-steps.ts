/** The steps of random programs that change entries, or find them by their ids. */
import type { FieldChanges } from '../../src/entry/field-changes.js'
import type { Transaction } from '../../src/space/transaction.js'
import type { Space } from '../../src/space.js'

/** A record holds it as a hash. */
export const LONG = 'y'.repeat(50)
/** Stored beside its record. */
export const BIG = 'b'.repeat(3_000)

/** Changes of a step, by their number. */
export const CHANGES: readonly FieldChanges<{ a?: number; b?: string; big?: string }>[] = [
  { set: { a: 1 } },
  { set: { b: 'x' } },
  { unset: ['b'] },
  { unset: ['a'], set: { b: LONG } },
  { increment: { a: 1 } },
  { set: { big: BIG } },
  { unset: ['big'], set: { a: 0 } },
]

/** Does something with an id: reads, takes, cancels, or changes. */
export function stepById(how: number, space: Space, id = 'none', tx?: Transaction): Promise<unknown> {
  if (how === 0) return space.readById(id, { tx })
  if (how === 1) return space.takeById(id, { tx })
  if (how === 2) return space.cancelById(id)
  return space.update(id, { set: { b: 'y' } }, { tx, if: { a: 1 } })
}

/** What goes with a space that moves: the queue of its scheduler, and the number of its partitions. */
import type { Carrying } from './mover.js'
import type { MovingEngine } from './moving.js'
import { settleAt } from './next-partitions.js'
import { clearOld } from './old-partitions.js'
import type { CountTerms } from './partition-count.js'
import { copyQueue } from './queues.js'

export interface CarryingTerms extends CountTerms {
  readonly url: string
  readonly nextUrl: string
  readonly queue: string
}

/** Within a Cluster the queue stays where it is, and the old partitions have keys beside those of the new ones. */
export const carryingOf = ({ ends: { old, fresh, isWithin } }: MovingEngine, terms: CarryingTerms): Carrying => ({
  async queue() {
    if (!isWithin) await copyQueue(terms)
  },
  async settle() {
    // In this order: the next mover would find nothing to do once they are settled.
    if (isWithin) await clearOld(terms.url, terms.name, old, terms.access)
    await settleAt(terms.nextUrl, terms, fresh)
  },
})

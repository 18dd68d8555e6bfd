/** Tickets over partitions: each is in the partition of its id, beside the request that settles it. */
import type { Opening, TicketState, Tickets, TicketTerms } from '../../engine/tickets.js'
import type { Delivery, EncodedEntry, Engine } from '../../engine.js'
import type { PartitionedOffers } from './offers.js'
import type { Placement } from './placement.js'

export class PartitionedTickets implements Tickets {
  readonly #members: readonly Engine[]
  readonly #placement: Placement
  readonly #offers: PartitionedOffers

  constructor(members: readonly Engine[], placement: Placement, offers: PartitionedOffers) {
    this.#members = members
    this.#placement = placement
    this.#offers = offers
  }

  /** Each partition has its share of the bound. */
  open(ticket: TicketTerms, entry: EncodedEntry): Promise<Opening> {
    const maxBytes = Math.ceil(ticket.maxBytes / this.#members.length)
    return this.#of(ticket.id).open({ ...ticket, maxBytes }, entry)
  }

  settle(id: string, outcome: Buffer | null): Promise<boolean> {
    return this.#of(id).settle(id, outcome)
  }

  recordProgress(id: string, progress: Buffer): Promise<boolean> {
    return this.#of(id).recordProgress(id, progress)
  }

  reportProgress(delivery: Delivery, progress: Buffer): Promise<boolean> {
    return this.#offers.of(delivery).tickets.reportProgress(delivery, progress)
  }

  leave(id: string): Promise<void> {
    return this.#of(id).leave(id)
  }

  look(id: string): Promise<TicketState | null> {
    return this.#of(id).look(id)
  }

  #of(id: string): Tickets {
    return this.#members[this.#placement.ofKey(id)]!.tickets
  }
}

/** Tickets over partitions: each is in the partition of its id, beside the request that settles it. */
import type { Opening, SettledPage, TicketState, Tickets, TicketTerms } from '../../engine/tickets.js'
import type { Delivery, EncodedEntry, Engine } from '../../engine.js'
import { isSpaceError } from '../../errors.js'
import { firstPlaced } from './first-placed.js'
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
    const { id, maxBytes } = ticket
    const own = { ...ticket, maxBytes: Math.ceil(maxBytes / this.#placement.shares) }
    const places = this.#placement.placesOf(id)
    return places.length === 1 ? this.#in(places[0]!).open(own, entry) : this.#openInFirst(places, own, entry)
  }

  settle(id: string, outcome: Buffer | null): Promise<boolean> {
    return this.#wherever(id, (tickets) => tickets.settle(id, outcome))
  }

  recordProgress(id: string, progress: Buffer): Promise<boolean> {
    return this.#wherever(id, (tickets) => tickets.recordProgress(id, progress))
  }

  reportProgress(delivery: Delivery, progress: Buffer): Promise<boolean> {
    return this.#offers.of(delivery).tickets.reportProgress(delivery, progress)
  }

  async leave(id: string): Promise<void> {
    await this.#wherever(id, (tickets) => tickets.leave(id))
  }

  look(id: string): Promise<TicketState | null> {
    return this.#wherever(id, (tickets) => tickets.look(id))
  }

  settled(after: string): Promise<SettledPage> {
    return settledInTurn(
      this.#placement.all.map((partition) => this.#in(partition)),
      after,
    )
  }

  /**
   * The old partition decides whether it opens the ticket: it joins one that it has, and refuses a new one once the space
   * moves. So a ticket is opened once, whatever phase a process knows.
   */
  async #openInFirst([old, next]: readonly number[], ticket: TicketTerms, entry: EncodedEntry): Promise<Opening> {
    try {
      return await this.#in(old!).open(ticket, entry)
    } catch (error) {
      if (!isSpaceError(error, 'SPACE_MOVES')) throw error
      await this.#placement.arrived?.(next!)
      return this.#in(next!).open(ticket, entry)
    }
  }

  #in(partition: number): Tickets {
    return this.#members[partition]!.tickets
  }

  #wherever<T>(id: string, ask: (tickets: Tickets) => Promise<T>): Promise<T> {
    return firstPlaced(this.#placement, id, (partition) => ask(this.#in(partition)))
  }
}

/** One part after the other: a cursor is that of its part, behind the part's number. */
export async function settledInTurn(parts: readonly Pick<Tickets, 'settled'>[], after: string): Promise<SettledPage> {
  const [, number = '0', own = ''] = /^(\d+):(.*)$/.exec(after) ?? []
  const at = Number(number)
  const part = parts[at]
  if (part === undefined) return { tickets: [], next: null }
  const { tickets, next } = await part.settled(own)
  if (next !== null) return { tickets, next: `${at}:${next}` }
  return { tickets, next: at + 1 < parts.length ? `${at + 1}:` : null }
}

/** Requests over partitions: each is in the partition of its id, or in the next one while that is away. */
import type { EncodedEntry, Engine, Outcome } from '../../engine.js'
import type { Placement } from './placement.js'

export class PartitionedRequests {
  readonly #members: readonly Engine[]
  readonly #placement: Placement
  /** Where the requests are, until they have outcomes, that may not be in the partitions of their ids. */
  readonly #elsewhere = new Map<string, Engine>()

  constructor(members: readonly Engine[], placement: Placement) {
    this.#members = members
    this.#placement = placement
  }

  write(entry: EncodedEntry, onOutcome: (outcome: Outcome) => void): Promise<void> {
    const { id } = entry
    const own = this.#members[this.#placement.ofId(id)]!
    // While the space moves, the place of new ones changes.
    if (own.isReachable && !this.#placement.arrived) return own.request(entry, onOutcome)
    const other = own.isReachable ? own : this.#members[this.#placement.next()]!
    this.#elsewhere.set(id, other)
    const written = other.request(entry, (outcome) => {
      if (outcome.kind !== 'responseStarted') this.#elsewhere.delete(id)
      onOutcome(outcome)
    })
    return written.catch((error) => {
      this.#elsewhere.delete(id)
      throw error
    })
  }

  withdraw(id: string): Promise<void> {
    const member = this.#of(id)
    this.#elsewhere.delete(id)
    return member.withdraw(id)
  }

  awaitIndefinitely(id: string): void {
    this.#of(id).awaitIndefinitely(id)
  }

  #of(id: string): Engine {
    return this.#elsewhere.get(id) ?? this.#members[this.#placement.ofId(id)]!
  }
}

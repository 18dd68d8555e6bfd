/** Registrations over partitions: one in each that may have matches, and one sequence of events. */
import type { EncodedTemplate, Engine, Grant, Interest, Registered } from '../../engine.js'
import type { Placement } from './placement.js'
import type { PartitionedTransactions } from './transactions.js'

/** The registration in one partition. */
interface Part {
  readonly member: Engine
  readonly id: string
}

export class PartitionedRegistrations {
  readonly #members: readonly Engine[]
  readonly #placement: Placement
  readonly #transactions: PartitionedTransactions
  readonly #parts = new Map<string, readonly Part[]>()
  #ids = 0

  constructor(members: readonly Engine[], placement: Placement, transactions: PartitionedTransactions) {
    this.#members = members
    this.#placement = placement
    this.#transactions = transactions
  }

  async notify(interest: Interest): Promise<Registered> {
    const tx = interest.tx === undefined ? undefined : this.#transactions.get(interest.tx)
    // No entry has such an id.
    const id = `*${(++this.#ids).toString(36)}`
    const end = (): void => {
      if (this.#forget(id)) interest.onEnded()
    }
    const numbered = numberedOf(interest, end)
    const among = this.#among(interest.templates)
    const asked = among.map(async (partition): Promise<Part & Registered> => {
      const member = this.#members[partition]!
      const own = tx && this.#transactions.in(tx, partition)
      return { member, ...(await member.notify({ ...numbered, tx: own })) }
    })
    this.#parts.set(id, [])
    const settled = await Promise.allSettled(asked)
    const parts = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
    const isForgotten = !this.#parts.has(id)
    this.#parts.set(id, parts)
    const failed = settled.find(({ status }) => status === 'rejected')
    if (failed || isForgotten) this.#forget(id)
    if (failed?.status === 'rejected') throw failed.reason
    return { id, sequence: 0, expiresAt: Math.min(...parts.map(({ expiresAt }) => expiresAt)) }
  }

  has(id: string): boolean {
    return this.#parts.has(id)
  }

  async renew(id: string, leaseMs: number): Promise<Grant | null> {
    const grants = await Promise.all(this.#parts.get(id)!.map((part) => part.member.renew(part.id, leaseMs)))
    const expiresAt = Math.min(...grants.map((grant) => grant?.expiresAt ?? Number.NEGATIVE_INFINITY))
    return expiresAt === Number.NEGATIVE_INFINITY ? null : { expiresAt }
  }

  async cancel(id: string): Promise<boolean> {
    const parts = this.#parts.get(id)!
    this.#parts.delete(id)
    const known = await Promise.all(parts.map((part) => part.member.cancel(part.id)))
    return known.every(Boolean)
  }

  /** Ends it in all partitions. Returns false if it had ended. */
  #forget(id: string): boolean {
    const parts = this.#parts.get(id)
    this.#parts.delete(id)
    for (const part of parts ?? []) part.member.cancel(part.id).catch(() => {})
    return parts !== undefined
  }

  #among(templates: readonly EncodedTemplate[]): readonly number[] {
    const named = templates.map((template) => this.#placement.ofTemplate(template))
    if (named.includes(undefined)) return this.#placement.inTurn()
    return [...new Set((named as (readonly number[])[]).flat())]
  }
}

/** Numbers the events of all partitions in the order in which they arrive. */
function numberedOf(interest: Interest, onEnded: () => void): Interest {
  let last = 0
  return {
    ...interest,
    onEvent: (entry) => interest.onEvent(entry, ++last),
    onMissed: (count) => {
      // How many is unknown if a partition has lost the registration.
      last += count === Number.POSITIVE_INFINITY ? 1 : count
      interest.onMissed(count, last)
    },
    onEnded,
  }
}

/** Offers over partitions, and what their holders do with deliveries. */
import type { CompletionEffects, Delivery, EncodedTemplate, Engine, Offer } from '../../engine.js'
import { allOrNone } from '../../runtime/all-or-none.js'
import { evenShare } from './even-share.js'
import type { Placement } from './placement.js'
import { SpreadCredit } from './spread-credit.js'
import { otherPartition, type PartitionedTransactions } from './transactions.js'

/** A delivery with its way back; the fields are set on the object that the member has made. */
export interface PlacedDelivery extends Delivery {
  /** The partition that it came from. */
  home?: number
  /** The credit that it takes part of. */
  credit?: SpreadCredit
}

export class PartitionedOffers {
  readonly #members: readonly Engine[]
  readonly #placement: Placement
  readonly #transactions: PartitionedTransactions
  readonly #open = new Set<SpreadCredit>()

  constructor(members: readonly Engine[], placement: Placement, transactions: PartitionedTransactions) {
    this.#members = members
    this.#placement = placement
    this.#transactions = transactions
  }

  async open(template: EncodedTemplate, credit: number, onDelivery: (delivery: Delivery) => void): Promise<Offer> {
    const among = this.#placement.among(template)
    const spread = new SpreadCredit(template, (ended) => this.#open.delete(ended))
    this.#open.add(spread)
    const deliver =
      (home: number) =>
      (delivery: PlacedDelivery): void => {
        delivery.home = home
        delivery.credit = spread
        spread.changed()
        onDelivery(delivery)
      }
    // A partition without any credit is scouted.
    const opening = among.map(async (partition, i) => {
      const member = this.#members[partition]!
      return { member, offer: await member.offer(template, evenShare(credit, among.length, i), deliver(partition)) }
    })
    try {
      spread.begin(await allOrNone(opening, ({ offer }) => void offer.end().catch(() => {})))
    } catch (error) {
      spread.stop()
      throw error
    }
    return spread
  }

  close(): void {
    for (const spread of this.#open) spread.stop()
  }

  /** Returns the engine that a delivery came from. */
  of(delivery: PlacedDelivery): Engine {
    return this.#members[delivery.home ?? this.#placement.ofId(delivery.id)]!
  }

  async complete(
    delivery: PlacedDelivery,
    body: Buffer,
    credit: number,
    along: CompletionEffects | undefined,
  ): Promise<boolean> {
    try {
      return along
        ? await this.#completeWith(delivery, body, credit, along)
        : await this.of(delivery).complete(delivery, body, credit)
    } finally {
      delivery.credit?.changed()
    }
  }

  async release(delivery: PlacedDelivery): Promise<void> {
    try {
      await this.of(delivery).release(delivery)
    } finally {
      delivery.credit?.changed()
    }
  }

  async releaseSlot(delivery: PlacedDelivery): Promise<void> {
    await this.of(delivery).releaseSlot(delivery)
    delivery.credit?.changed()
  }

  async #completeWith(
    delivery: PlacedDelivery,
    body: Buffer,
    credit: number,
    { entries, tx: id }: CompletionEffects,
  ): Promise<boolean> {
    const home = delivery.home ?? this.#placement.ofId(delivery.id)
    const keyed = this.#transactions.keyed(entries, home)
    if (keyed !== undefined && keyed !== home) throw otherPartition('The delivery', home, 'the entry', keyed)
    if (id === undefined) return this.#members[home]!.complete(delivery, body, credit, { entries })
    const tx = this.#transactions.get(id)
    if (!this.#transactions.settle(tx, home)) throw otherPartition('The delivery', home, 'the transaction', tx.home!)
    const along = { entries, tx: this.#transactions.in(tx, home) }
    const done = await this.#members[home]!.complete(delivery, body, credit, along)
    if (done) await this.#transactions.close(id)
    return done
  }
}

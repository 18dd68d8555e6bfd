/** Offers of a memory space: standing takes with credit, and what is held under them until it is completed or given back. */
import { wallMs } from '../../clock.js'
import type { Delivery, EncodedTemplate, Offer } from '../../engine.js'
import { type Bag, type Item, storedOf, takeable } from './bag.js'
import type { Waiter, Waiters } from './waiters.js'

export interface HeldDelivery {
  readonly delivery: Delivery
  readonly offer: Waiter
  /** Whether its place was given to another one. */
  slotReleased: boolean
}

const isSuspect = (item: Item | undefined): boolean => item?.entry.request !== undefined && item.deaths > 0

export class Offers {
  readonly #bag: Bag
  readonly #waiters: Waiters
  /** Who holds what, by its claim. */
  readonly #held = new Map<string, HeldDelivery>()
  #claims = 0

  constructor(bag: Bag, waiters: Waiters) {
    this.#bag = bag
    this.#waiters = waiters
  }

  open(presence: string, template: EncodedTemplate, credit: number, onDelivery: (delivery: Delivery) => void): Offer {
    const offer: Waiter = {
      template,
      take: true,
      tx: undefined,
      ifExists: false,
      credit,
      presence,
      miss: () => {},
      fail: () => {},
      serve: (item) => {
        offer.credit--
        const delivery = this.#claim(item, offer)
        // In a turn of its own, as everywhere else: nobody is called back from inside a write.
        queueMicrotask(() => onDelivery(delivery))
      },
    }
    this.#waiters.add(offer)
    this.#feed(offer)
    const waiters = this.#waiters
    return {
      get standing() {
        return waiters.has(offer)
      },
      end: async () => {
        this.#waiters.remove(offer)
        offer.credit = 0
      },
    }
  }

  /** The entry, if this delivery is still the one that holds it. */
  heldBy({ id, claim }: Delivery): Item | undefined {
    const item = this.#bag.get(id)
    return item && item.claim === claim ? item : undefined
  }

  /** What a process holds. */
  of(presence: string): HeldDelivery[] {
    return [...this.#held.values()].filter(({ offer }) => offer.presence === presence)
  }

  /**
   * A request whose holder died may be why. Nobody can tell it from those that were held with it, so a process is given one such at a time:
   * then only what kills on its own is counted again.
   */
  bears(presence: string, item: Item): boolean {
    return !isSuspect(item) || !this.of(presence).some(({ delivery }) => isSuspect(this.heldBy(delivery)))
  }

  /** It is held no longer, whatever becomes of it, and its offer has room for so many more. */
  end({ claim }: Delivery, credit: number): void {
    const held = this.#held.get(claim)
    this.#held.delete(claim)
    if (held && !held.slotReleased) this.#give(held.offer, credit)
  }

  /** It goes on without its place. */
  releaseSlot({ claim }: Delivery): void {
    const held = this.#held.get(claim)
    if (!held || held.slotReleased) return
    held.slotReleased = true
    this.#give(held.offer, 1)
  }

  #give(offer: Waiter, credit: number): void {
    if (!this.#waiters.has(offer)) return
    offer.credit += credit
    this.#feed(offer)
  }

  /** Whoever holds it is told that it works for nobody. */
  lose({ claim }: Item): void {
    this.#held.get(claim)?.delivery.holder?.lost()
  }

  /** An offer whose credit has risen is handed what is there already. */
  #feed(offer: Waiter): void {
    while (offer.credit > 0) {
      const isTakeable = (item: Item): boolean => takeable(item, undefined) && this.bears(offer.presence, item)
      const item = this.#bag.best(offer.template, isTakeable)
      if (!item) return
      offer.serve(item)
    }
  }

  #claim(item: Item, offer: Waiter): Delivery {
    item.started = false
    item.claim = `${item.entry.id}:${++this.#claims}`
    const delivery: Delivery = {
      ...storedOf(item),
      waitedMs: wallMs() - item.writtenAt,
      claim: item.claim,
      attempt: item.deaths + 1,
      repeatable: item.entry.request ? item.entry.request.repeatable && !item.entry.request.streamed : true,
      requester: item.requester?.presence ?? '',
    }
    this.#held.set(item.claim, { delivery, offer, slotReleased: false })
    return delivery
  }
}

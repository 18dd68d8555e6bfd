/** Offers of a memory space: standing takes with credit, and the deliveries held under them. */
import { wallMs } from '../../clock.js'
import type { Delivery, EncodedTemplate, Offer } from '../../engine.js'
import { type Bag, type Item, storedOf, takeable } from './bag.js'
import type { Waiter, Waiters } from './waiters.js'

export interface HeldDelivery {
  readonly delivery: Delivery
  readonly offer: Waiter
  /** True once its slot was released. */
  slotReleased: boolean
}

/** The number of deaths from which on a request is handed out alone. */
const SUSPECT_DEATHS = 2

const isSuspect = (item: Item | undefined): boolean =>
  item?.entry.request !== undefined && item.deaths >= SUSPECT_DEATHS

export class Offers {
  readonly #bag: Bag
  readonly #waiters: Waiters
  /** Held deliveries, by claim. */
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
      isOffer: true,
      tx: undefined,
      ifExists: false,
      credit,
      presence,
      miss: () => {},
      fail: () => {},
      serve: (item) => {
        offer.credit--
        const delivery = this.#claim(item, offer)
        // In a microtask, so that a write never calls back synchronously.
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
      get free() {
        return offer.credit
      },
      addSlot: async () => this.#give(offer, 1),
      withdrawSlot: async () => {
        const isFree = offer.credit > 0
        if (isFree) offer.credit--
        return isFree
      },
      end: async () => {
        this.#waiters.remove(offer)
        offer.credit = 0
      },
    }
  }

  /** Returns the entry if this delivery still holds it. */
  heldBy({ id, claim }: Delivery): Item | undefined {
    const item = this.#bag.get(id)
    return item && item.claim === claim ? item : undefined
  }

  /** Returns the deliveries that a process holds. */
  of(presence: string): HeldDelivery[] {
    return [...this.#held.values()].filter(({ offer }) => offer.presence === presence)
  }

  /**
   * A request with which two holders have died may be the cause, as may any other that was held with it. So a process
   * is given one such request at a time, and the next death counts only for the one.
   */
  bears(presence: string, item: Item): boolean {
    return !isSuspect(item) || !this.of(presence).some(({ delivery }) => isSuspect(this.heldBy(delivery)))
  }

  /** Ends a delivery and returns credit to its offer. */
  end({ claim }: Delivery, credit: number): void {
    const held = this.#held.get(claim)
    this.#held.delete(claim)
    if (held && !held.slotReleased) this.#give(held.offer, credit)
  }

  /** Returns the slot of a delivery to its offer while the holder goes on. */
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

  /** Tells the holder that its claim is lost. */
  lose({ claim }: Item): void {
    this.#held.get(claim)?.delivery.holder?.lost()
  }

  /** Hands out entries while the offer has credit. */
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
    this.#bag.hold(item, `${item.entry.id}:${++this.#claims}`)
    const delivery: Delivery = {
      ...storedOf(item),
      indexed: item.entry.indexed,
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

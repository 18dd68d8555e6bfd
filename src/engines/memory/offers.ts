/** Offers of a memory space: standing takes with credit, and what is held under them until it is completed or given back. */
import { wallMs } from '../../clock.js'
import type { Delivery, Offer, Pattern } from '../../engine.js'
import { type Bag, type Item, storedOf, takeable } from './bag.js'
import type { Waiter, Waiters } from './waiters.js'

interface Held {
  readonly delivery: Delivery
  readonly offer: Waiter
}

export class Offers {
  readonly #bag: Bag
  readonly #waiters: Waiters
  /** Who holds what, by its claim. */
  readonly #held = new Map<string, Held>()
  #claims = 0

  constructor(bag: Bag, waiters: Waiters) {
    this.#bag = bag
    this.#waiters = waiters
  }

  open(pattern: Pattern, credit: number, onDelivery: (delivery: Delivery) => void): Offer {
    const offer: Waiter = {
      pattern,
      take: true,
      tx: undefined,
      ifExists: false,
      credit,
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

  /** It is held no longer, whatever becomes of it, and its offer has room for so many more. */
  end({ claim }: Delivery, credit: number): void {
    const offer = this.#held.get(claim)?.offer
    this.#held.delete(claim)
    if (!offer || !this.#waiters.has(offer)) return
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
      const item = this.#bag.best(offer.pattern, (each) => takeable(each, undefined))
      if (!item) return
      offer.serve(item)
    }
  }

  #claim(item: Item, offer: Waiter): Delivery {
    item.attempt++
    item.claim = `${item.image.id}:${++this.#claims}`
    const delivery: Delivery = {
      ...storedOf(item),
      waitedMs: wallMs() - item.writtenAt,
      claim: item.claim,
      attempt: item.attempt,
      repeatable: item.image.request?.repeatable ?? true,
    }
    this.#held.set(item.claim, { delivery, offer })
    return delivery
  }
}

/**
 * The memory engine: the executable specification of what every engine promises. Small, plain, in one process; when another engine
 * differs from it, this one is read first. There is no await inside any step, so each call is atomic by construction.
 */

import { wallMs } from '../../clock.js'
import {
  type Backlog,
  DEAD_LETTER,
  type Delivery,
  type Engine,
  type Find,
  type Grant,
  type Health,
  type Image,
  type Offer,
  type Outcome,
  type Page,
  type Pattern,
  type Stored,
} from '../../engine.js'
import { SpaceError } from '../../errors.js'
import { signatureOf } from '../../signature.js'
import { Spread } from '../../tally.js'
import { tokenOf } from '../../token.js'
import { Wait } from '../../wait.js'
import { Bag, type Item } from './bag.js'
import { type Waiter, Waiters } from './waiters.js'

/** A week: time enough to look into it. */
const LETTER_LEASE_MS = 7 * 24 * 60 * 60 * 1000

export class MemoryEngine implements Engine {
  readonly durability = 'memory'
  readonly session = 'memory'
  readonly #bag = new Bag()
  readonly #waiters = new Waiters()
  /** The waits under way, so that close() can end them. */
  readonly #waits = new Set<Wait<Stored | null>>()
  /** Who holds what, and for which offer. */
  readonly #held = new Map<string, { delivery: Delivery; offer: Waiter }>()
  readonly #waited = new Spread()
  #claims = 0
  #closed = false

  async write(images: readonly Image[]): Promise<Grant[]> {
    this.#open()
    const items = images.map((image) => this.#bag.put(image))
    for (const item of items) this.#makeAvailable(item)
    return items.map(({ expiresAt }) => ({ expiresAt }))
  }

  async find({ pattern, take, waitMs, signal }: Find): Promise<Stored | null> {
    this.#open()
    const item = this.#bag.best(pattern)
    if (item) {
      if (take) this.#bag.remove(item.image.id)
      return storedOf(item)
    }
    if (waitMs <= 0) return null

    const wait = new Wait<Stored | null>()
    const waiter: Waiter = {
      pattern,
      take,
      credit: 1,
      serve: (found) => {
        this.#waiters.remove(waiter)
        if (take) this.#bag.remove(found.image.id)
        wait.resolve(storedOf(found))
      },
    }
    this.#waiters.add(waiter)
    this.#waits.add(wait)
    const end = (settle: () => void) => () => {
      this.#waiters.remove(waiter)
      settle()
    }
    wait.until(
      waitMs,
      end(() => wait.resolve(null)),
      signal,
      end(() => wait.reject(signal?.reason)),
    )
    return wait.promise.finally(() => this.#waits.delete(wait))
  }

  async renew(id: string, leaseMs: number): Promise<Grant | null> {
    this.#open()
    const item = this.#bag.get(id)
    if (!item) return null
    item.expiresAt = wallMs() + leaseMs
    return { expiresAt: item.expiresAt }
  }

  async cancel(id: string): Promise<boolean> {
    this.#open()
    const item = this.#bag.get(id)
    if (!item) return false
    this.#bag.remove(id)
    this.#endClaim(item)
    return true
  }

  async request(image: Image, onOutcome: (outcome: Outcome) => void): Promise<void> {
    this.#open()
    const item = this.#bag.put(image)
    item.onOutcome = onOutcome
    this.#makeAvailable(item)
  }

  async withdraw(id: string): Promise<void> {
    if (!this.#closed) await this.cancel(id)
  }

  async offer(pattern: Pattern, credit: number, onDelivery: (delivery: Delivery) => void): Promise<Offer> {
    this.#open()
    const offer: Waiter = {
      pattern,
      take: true,
      credit,
      serve: (item) => {
        offer.credit--
        const delivery = this.#claim(item, offer)
        // In a turn of its own, as everywhere else: nobody is called back from inside a write.
        queueMicrotask(() => onDelivery(delivery))
      },
    }
    this.#waiters.add(offer)
    this.#feed(offer)
    return {
      end: async () => {
        this.#waiters.remove(offer)
        offer.credit = 0
      },
    }
  }

  async start(delivery: Delivery): Promise<boolean> {
    const item = this.#heldBy(delivery)
    if (item) item.started = true
    return item !== undefined
  }

  async complete(delivery: Delivery, body: Buffer, credit: number): Promise<boolean> {
    const offer = this.#held.get(delivery.claim)?.offer
    const item = this.#heldBy(delivery)
    if (item) {
      this.#bag.remove(item.image.id)
      item.onOutcome?.({ kind: 'completed', body })
    }
    this.#held.delete(delivery.claim)
    if (offer) this.#restore(offer, credit)
    return item !== undefined
  }

  async release(delivery: Delivery): Promise<void> {
    const offer = this.#held.get(delivery.claim)?.offer
    const item = this.#heldBy(delivery)
    this.#held.delete(delivery.claim)
    if (item) this.#putBack(item)
    if (offer) this.#restore(offer, 1)
  }

  async declareDead(): Promise<void> {
    // A memory space dies with its one process.
  }

  async recall(): Promise<void> {
    // Nor is there anybody else to see that it does not answer.
  }

  async setAside(id: string, reason: string): Promise<boolean> {
    this.#open()
    const item = this.#bag.get(id)
    if (!item || item.image.kinds[0] === DEAD_LETTER) return false
    const { image } = item
    const service = image.indexed.filter((token) => token.startsWith('service='))
    const letter: Image = {
      id,
      kinds: [DEAD_LETTER],
      indexed: [`reason=${tokenOf(reason)}`, ...service],
      verified: [],
      body: Buffer.concat([Buffer.from(`${tokenOf(reason)}${signatureOf(image)}\n`), image.body]),
      leaseMs: LETTER_LEASE_MS,
      priority: image.priority,
    }
    this.#bag.replace(item, letter)
    return true
  }

  async list(pattern: Pattern, after: string | null, most: number): Promise<Page> {
    this.#open()
    const all = this.#bag.all(pattern)
    const items = all.filter((item) => after === null || placeOf(item) > after).slice(0, most)
    const last = items[items.length - 1]
    const next = last && last !== all[all.length - 1] ? placeOf(last) : null
    return { entries: items.map((item) => ({ ...storedOf(item), deaths: 0 })), next }
  }

  async backlog(pattern: Pattern): Promise<Backlog> {
    this.#open()
    const all = this.#bag.all(pattern)
    const now = wallMs()
    return { count: all.length, oldestMs: Math.max(0, ...all.map(({ writtenAt }) => now - writtenAt)) }
  }

  async kinds(): Promise<ReadonlyMap<string, number>> {
    this.#open()
    return this.#bag.roots()
  }

  async health(): Promise<Health> {
    const connected = !this.#closed
    return { connected, answeredMsAgo: 0, full: false, queued: 0, reconnects: 0, waited: this.#waited }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#waiters.drain()
    for (const wait of this.#waits) wait.reject(new SpaceError('SPACE_CLOSED'))
  }

  #open(): void {
    if (this.#closed) throw new SpaceError('SPACE_CLOSED')
  }

  #makeAvailable(item: Item): void {
    for (const reader of this.#waiters.readers(item.image)) reader.serve(item)
    this.#waiters.taker(item.image)?.serve(item)
  }

  #restore(offer: Waiter, credit: number): void {
    if (!this.#waiters.has(offer)) return
    offer.credit += credit
    this.#feed(offer)
  }

  /** An offer whose credit has risen is handed what is there already. */
  #feed(offer: Waiter): void {
    while (offer.credit > 0) {
      const item = this.#bag.best(offer.pattern)
      if (!item) return
      offer.serve(item)
    }
  }

  #claim(item: Item, offer: Waiter): Delivery {
    item.state = 'claimed'
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
    this.#waited.observe(wallMs() - item.writtenAt)
    return delivery
  }

  /** The entry, if this delivery is still the one that holds it. */
  #heldBy(delivery: Delivery): Item | undefined {
    const item = this.#bag.get(delivery.id)
    return item?.state === 'claimed' && item.claim === delivery.claim ? item : undefined
  }

  #putBack(item: Item): void {
    item.state = 'free'
    item.claim = ''
    this.#makeAvailable(item)
  }

  #endClaim(item: Item): void {
    const held = this.#held.get(item.claim)
    held?.delivery.holder?.lost()
  }
}

/** Its place among all, as a text that sorts. */
const placeOf = ({ image, order }: Item): string =>
  `${String(1_000 - image.priority).padStart(4, '0')} ${String(order).padStart(16, '0')}`

function storedOf(item: Item): Stored {
  const { id, kinds, body, priority } = item.image
  return { id, kinds, body, priority, writtenAt: item.writtenAt, remainingMs: item.expiresAt - wallMs() }
}

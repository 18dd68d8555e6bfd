/**
 * The memory engine: the executable specification of what every engine promises. Small, plain, in one process; when another engine
 * differs from it, this one is read first. There is no await inside any step, so each call is atomic by construction.
 */

import { LONGEST_TIMER_MS, monotonicMs, wallMs } from '../../clock.js'
import {
  type Along,
  type Backlog,
  DEAD_LETTER,
  type Delivery,
  type Engine,
  type Find,
  type Grant,
  type Health,
  type Image,
  type Interest,
  type Offer,
  type Outcome,
  type Page,
  type Pattern,
  type Registered,
  type Stored,
} from '../../engine.js'
import { SpaceError } from '../../errors.js'
import { signatureOf } from '../../signature.js'
import { tokenOf } from '../../token.js'
import { Wait } from '../../wait.js'
import { Bag, conflicting, type Item, inPlace, readable, storedOf, takeable } from './bag.js'
import { Offers } from './offers.js'
import { Registrations } from './registrations.js'
import { type Open, Transactions } from './transactions.js'
import { type Waiter, Waiters } from './waiters.js'

/** A week: time enough to look into it. */
const LETTER_LEASE_MS = 7 * 24 * 60 * 60 * 1000

export class MemoryEngine implements Engine {
  readonly durability = 'memory'
  readonly session = 'memory'
  readonly #bag = new Bag()
  readonly #waiters = new Waiters()
  readonly #offers = new Offers(this.#bag, this.#waiters)
  readonly #transactions = new Transactions((transaction) => this.#expired(transaction))
  readonly #registrations = new Registrations()
  /** The waits under way, so that close() can end them. */
  readonly #waits = new Set<Wait<Item | null>>()
  #closed = false

  async write(images: readonly Image[], tx?: string): Promise<Grant[]> {
    this.#open()
    const items = this.#put(images, tx)
    return items.map(({ expiresAt }) => ({ expiresAt }))
  }

  async find(find: Find): Promise<Stored | null> {
    const endsAt = monotonicMs() + find.waitMs
    for (let waitMs = find.waitMs; ; waitMs = Math.max(endsAt - monotonicMs(), 0)) {
      const item = await this.#find({ ...find, waitMs })
      if (!item) return null
      const stored = storedOf(item)
      try {
        if (!find.fits || (await find.fits(stored))) return stored
        const there = find.take || this.#bag.get(stored.id) === item
        if (there && this.#aside(item, 'misfit')) find.onAside?.(stored)
        find.signal?.throwIfAborted()
      } catch (error) {
        if (find.take && find.tx === undefined) this.#putBack(item)
        throw error
      }
    }
  }

  async #find({ pattern, take, waitMs, signal, tx, ifExists = false }: Find): Promise<Item | null> {
    this.#open()
    if (tx !== undefined) this.#transactions.get(tx)
    const item = this.#bag.best(pattern, (each) => (take ? takeable(each, tx) : readable(each, tx)))
    if (item) return this.#give(item, take, tx)
    if (waitMs <= 0 || (ifExists && !this.#conflict(pattern, tx, take))) return null

    const wait = new Wait<Item | null>()
    const end = (settle: () => void) => () => {
      this.#waiters.remove(waiter)
      settle()
    }
    const waiter: Waiter = {
      pattern,
      take,
      tx,
      ifExists,
      credit: 1,
      serve: (found) => end(() => wait.resolve(this.#give(found, take, tx)))(),
      miss: end(() => wait.resolve(null)),
      fail: (error) => end(() => wait.reject(error))(),
    }
    this.#waiters.add(waiter)
    this.#waits.add(wait)
    if (ifExists) this.#watchConflict(waiter)
    wait.until(
      waitMs,
      waiter.miss,
      signal,
      end(() => wait.reject(signal?.reason)),
    )
    return wait.promise.finally(() => this.#waits.delete(wait))
  }

  async renew(id: string, leaseMs: number): Promise<Grant | null> {
    this.#open()
    const registered = this.#registrations.renew(id, leaseMs)
    if (registered !== undefined) return { expiresAt: registered }
    const item = this.#bag.get(id)
    if (!item) return null
    const before = item.expiresAt
    item.expiresAt = wallMs() + leaseMs
    // Who waits for its transaction only does so no longer than it lasts.
    if (item.expiresAt < before) for (const waiter of this.#waiters.ifExists()) this.#watchConflict(waiter)
    return { expiresAt: item.expiresAt }
  }

  async cancel(id: string): Promise<boolean> {
    this.#open()
    if (this.#registrations.remove(id)) return true
    const item = this.#bag.get(id)
    if (!item) return false
    this.#bag.remove(id)
    this.#offers.lose(item)
    this.#missIfExists()
    return true
  }

  begin(leaseMs: number, onEnded: () => void): string {
    this.#open()
    return this.#transactions.begin(leaseMs, onEnded)
  }

  async renewTransaction(tx: string, leaseMs: number): Promise<Grant> {
    this.#open()
    return { expiresAt: this.#transactions.renew(tx, leaseMs) }
  }

  async commit(tx: string): Promise<void> {
    this.#open()
    this.#transactions.get(tx)
    this.#end(tx, true)
  }

  async abort(tx: string): Promise<void> {
    if (!this.#closed) this.#end(tx, false)
  }

  async notify(interest: Interest): Promise<Registered> {
    this.#open()
    if (interest.tx !== undefined) this.#transactions.get(interest.tx)
    return this.#registrations.add(interest)
  }

  async request(image: Image, onOutcome: (outcome: Outcome) => void): Promise<void> {
    this.#open()
    this.#put([image], undefined, onOutcome)
  }

  async withdraw(id: string): Promise<void> {
    if (!this.#closed) await this.cancel(id)
  }

  async offer(pattern: Pattern, credit: number, onDelivery: (delivery: Delivery) => void): Promise<Offer> {
    this.#open()
    return this.#offers.open(pattern, credit, onDelivery)
  }

  async start(delivery: Delivery): Promise<boolean> {
    const item = this.#offers.heldBy(delivery)
    if (item) item.started = true
    return item !== undefined
  }

  async complete(delivery: Delivery, body: Buffer, credit: number, along?: Along): Promise<boolean> {
    if (along) this.#transactions.get(along.tx)
    const item = this.#offers.heldBy(delivery)
    if (item) {
      this.#bag.remove(item.image.id)
      item.onOutcome?.({ kind: 'completed', body })
      if (along) {
        this.#put(along.images, undefined)
        this.#end(along.tx, true)
      }
    }
    this.#offers.end(delivery, credit)
    return item !== undefined
  }

  async release(delivery: Delivery): Promise<void> {
    const item = this.#offers.heldBy(delivery)
    if (item?.started && !delivery.repeatable) {
      // What had started may not be run twice.
      this.#bag.remove(item.image.id)
      item.onOutcome?.({ kind: 'lost' })
    } else if (item) this.#putBack(item)
    this.#offers.end(delivery, 1)
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
    return item !== undefined && this.#aside(item, reason)
  }

  async list(pattern: Pattern, after: string | null, most: number, tx?: string): Promise<Page> {
    this.#open()
    if (tx !== undefined) this.#transactions.get(tx)
    const all = this.#bag.all(pattern, (item) => readable(item, tx))
    const items = all.filter((item) => after === null || placeOf(item) > after).slice(0, most)
    const last = items[items.length - 1]
    const next = last && last !== all[all.length - 1] ? placeOf(last) : null
    return { entries: items.map((item) => ({ ...storedOf(this.#give(item, false, tx)), deaths: 0 })), next }
  }

  async backlog(pattern: Pattern): Promise<Backlog> {
    this.#open()
    const all = this.#bag.all(pattern, (item) => takeable(item, undefined))
    const now = wallMs()
    return { count: all.length, oldestMs: Math.max(0, ...all.map(({ writtenAt }) => now - writtenAt)) }
  }

  async kinds(): Promise<ReadonlyMap<string, number>> {
    this.#open()
    return this.#bag.roots()
  }

  async health(): Promise<Health> {
    const connected = !this.#closed
    return { connected, answeredMsAgo: 0, full: false, queued: 0, reconnects: 0 }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#transactions.closeAll()
    this.#waiters.drain()
    for (const wait of this.#waits) wait.reject(new SpaceError('SPACE_CLOSED'))
  }

  #open(): void {
    if (this.#closed) throw new SpaceError('SPACE_CLOSED')
  }

  #put(images: readonly Image[], tx: string | undefined, onOutcome?: (outcome: Outcome) => void): Item[] {
    const transaction = tx === undefined ? undefined : this.#transactions.get(tx)
    const now = wallMs()
    const items = images.map((image) => this.#bag.put(image, now, tx))
    for (const item of items) {
      // Dead on arrival: seen by nobody.
      if (!this.#isThere(item)) continue
      item.onOutcome = onOutcome
      transaction?.items.add(item)
      this.#change(item, { isNew: true, written: true }, () => {})
    }
    return items
  }

  /** Changes an entry, and serves those who can have it now. */
  #change(item: Item, what: { isNew: boolean; written: boolean }, change: () => void): void {
    this.#registrations.around(item, () => storedOf(item), what, change)
    for (const reader of this.#waiters.readers(item, false)) reader.serve(item)
    this.#waiters.taker(item)?.serve(item)
    if (!this.#isThere(item)) return
    for (const reader of this.#waiters.readers(item, true)) reader.serve(item)
  }

  #isThere(item: Item): boolean {
    return this.#bag.get(item.image.id) === item
  }

  /** As if it had never been taken. */
  #putBack(item: Item): void {
    this.#bag.restore(item)
    item.claim = ''
    item.started = false
    this.#change(item, { isNew: true, written: false }, () => {})
  }

  /** Gives it to who has found it: out of the space, or locked by the transaction until that ends. */
  #give(item: Item, take: boolean, tx: string | undefined): Item {
    if (tx === undefined) {
      if (take) this.#bag.remove(item.image.id)
    } else if (take || item.writer !== tx) {
      if (take) item.taker = tx
      else item.readers.add(tx)
      this.#transactions.get(tx).items.add(item)
    }
    return item
  }

  #expired(transaction: Open): void {
    this.#end(transaction.id, false)
    transaction.onEnded()
  }

  /** What it wrote is there for all, what it took is gone; or none of this ever was. What it read is nobody's any longer. */
  #end(tx: string, committed: boolean): void {
    const transaction = this.#transactions.close(tx)
    if (!transaction) return
    this.#registrations.endOf(tx)
    this.#waiters.endOf(tx)
    // In the order of their places: who waits gets the best.
    for (const item of inPlace(transaction.items)) {
      if (!this.#isThere(item)) continue
      const [wrote, took] = [item.writer === tx, item.taker === tx]
      if ((took && (committed || wrote)) || (wrote && !committed)) {
        this.#bag.remove(item.image.id)
      } else {
        this.#change(item, { isNew: false, written: wrote }, () => {
          item.readers.delete(tx)
          if (wrote) item.writer = undefined
          if (took) item.taker = undefined
        })
      }
    }
    this.#missIfExists()
  }

  /** Also of what has been taken already. */
  #aside(item: Item, reason: string): boolean {
    const { image } = item
    const { id, priority } = image
    if ((this.#bag.get(id)?.image ?? image).kinds[0] === DEAD_LETTER) return false
    const service = image.indexed.filter((token) => token.startsWith('service='))
    const letter: Image = {
      id,
      kinds: [DEAD_LETTER],
      indexed: [`reason=${tokenOf(reason)}`, ...service],
      verified: [],
      body: Buffer.concat([Buffer.from(`${tokenOf(reason)}${signatureOf(image)}\n`), image.body]),
      leaseMs: LETTER_LEASE_MS,
      priority,
    }
    this.#bag.replace(item, letter)
    this.#missIfExists()
    return true
  }

  #conflict(pattern: Pattern, tx: string | undefined, take: boolean): Item | undefined {
    return this.#bag.best(pattern, (item) => conflicting(item, tx, take))
  }

  /** Who waits only for what a transaction holds, does so no longer when none does. */
  #missIfExists(): void {
    for (const waiter of this.#waiters.ifExists()) {
      if (!this.#conflict(waiter.pattern, waiter.tx, waiter.take)) waiter.miss()
    }
  }

  /** What it waits for may also go by its lease. */
  #watchConflict(waiter: Waiter): void {
    if (!this.#waiters.has(waiter)) return
    const item = this.#conflict(waiter.pattern, waiter.tx, waiter.take)
    if (!item) return waiter.miss()
    const left = Math.min(item.expiresAt - wallMs(), LONGEST_TIMER_MS)
    setTimeout(() => this.#watchConflict(waiter), left + 1).unref()
  }
}

/** Its place among all, as a text that sorts. */
const placeOf = ({ image, order }: Item): string =>
  `${String(1_000 - image.priority).padStart(4, '0')} ${String(order).padStart(16, '0')}`

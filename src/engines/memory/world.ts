/** World: a memory space itself, which all processes that have opened it share. Each step is atomic, since nothing in it awaits. */
import { LONGEST_TIMER_MS, wallMs } from '../../clock.js'
import { endedBody, ownerToken, SESSION, type SessionEnd } from '../../engine/sessions.js'
import { DEAD_LETTER, type EncodedEntry, type EncodedTemplate, type Outcome } from '../../engine.js'
import { deadLetterEntry } from '../../entry/dead-letter.js'
import { Bag, conflicting, hasNoSuccessor, type Item, type ItemRequester, inPlace, storedOf } from './bag.js'
import { type HeldDelivery, Offers } from './offers.js'
import { MemoryRegistrations } from './registrations.js'
import { MemorySessions } from './session-entries.js'
import { MemoryTransactions, type OpenTransaction } from './transactions.js'
import { type Waiter, Waiters } from './waiters.js'

export class World {
  readonly bag = new Bag()
  readonly waiters = new Waiters()
  readonly offers = new Offers(this.bag, this.waiters)
  readonly transactions = new MemoryTransactions((transaction) => this.#expired(transaction))
  readonly registrations = new MemoryRegistrations()
  readonly sessions = new MemorySessions((id, owner, reason) => this.#sessionEnded(id, owner, reason))
  /** By presence: who hears messages. */
  readonly listeners = new Map<string, (message: Buffer) => void>()
  #sessions = 0
  readonly #joined = new Set<string>()
  readonly #onEmpty: () => void
  /** Does not answer at the moment, so nothing is handed to it. */
  #silent: string | undefined

  /** `onEmpty` is called when the last process has left. */
  constructor(onEmpty: () => void = () => {}) {
    this.#onEmpty = onEmpty
  }

  /** A name for a process. */
  join(): string {
    const presence = `memory${++this.#sessions}`
    this.#joined.add(presence)
    return presence
  }

  /** Whether such a process is there. */
  knows(presence: string): boolean {
    return this.#joined.has(presence)
  }

  put(entries: readonly EncodedEntry[], tx: string | undefined, requester?: ItemRequester): Item[] {
    const transaction = tx === undefined ? undefined : this.transactions.get(tx)
    const now = wallMs()
    const items = entries.map((entry) => this.bag.put(entry, now, tx))
    for (const item of items) {
      // Dead on arrival: seen by nobody.
      if (!this.#isThere(item)) continue
      item.requester = requester
      transaction?.items.add(item)
      this.change(item, { isNew: true, written: true }, () => {})
    }
    return items
  }

  /** Changes an entry, and serves those who can have it now. */
  change(item: Item, what: { isNew: boolean; written: boolean }, change: () => void): void {
    this.registrations.around(item, () => storedOf(item), what, change)
    for (const reader of this.waiters.readers(item, false)) reader.serve(item)
    this.waiters.taker(item, (presence) => this.#bears(presence, item))?.serve(item)
    if (!this.#isThere(item)) return
    for (const reader of this.waiters.readers(item, true)) reader.serve(item)
  }

  #isThere(item: Item): boolean {
    return this.bag.get(item.entry.id) === item
  }

  /** As if it had never been taken. */
  putBack(item: Item): void {
    this.bag.restore(item)
    item.claim = ''
    item.started = false
    item.answering = false
    this.change(item, { isNew: true, written: false }, () => {})
  }

  /** Gives it to who has found it: out of the space, or locked by the transaction until that ends. */
  give(item: Item, take: boolean, tx: string | undefined): Item {
    if (tx === undefined) {
      if (take) this.bag.remove(item.entry.id)
    } else if (take || item.writer !== tx) {
      if (take) item.taker = tx
      else item.readers.add(tx)
      this.transactions.get(tx).items.add(item)
    }
    return item
  }

  #expired(transaction: OpenTransaction): void {
    this.end(transaction.id, false)
    transaction.onEnded()
  }

  /** What it wrote is there for all, what it took is gone; or none of this ever was. What it read is nobody's any longer. */
  end(tx: string, committed: boolean): void {
    const transaction = this.transactions.close(tx)
    if (!transaction) return
    this.registrations.endOf(tx)
    this.waiters.endOf(tx)
    // In the order of their places: who waits gets the best.
    for (const item of inPlace(transaction.items)) {
      if (!this.#isThere(item)) continue
      const [wrote, took] = [item.writer === tx, item.taker === tx]
      if ((took && (committed || wrote)) || (wrote && !committed)) {
        this.bag.remove(item.entry.id)
      } else {
        this.change(item, { isNew: false, written: wrote }, () => {
          item.readers.delete(tx)
          if (wrote) item.writer = undefined
          if (took) item.taker = undefined
        })
      }
    }
    this.missIfExists()
  }

  /** Also of what has been taken already. */
  deadLetter(item: Item, reason: string): boolean {
    const { entry } = item
    const { id, priority } = entry
    if ((this.bag.get(id)?.entry ?? entry).kinds[0] === DEAD_LETTER) return false
    const deadLetter = deadLetterEntry(id, reason, entry, entry.body, priority)
    this.bag.replace(item, deadLetter)
    this.missIfExists()
    return true
  }

  conflict(template: EncodedTemplate, tx: string | undefined, take: boolean): Item | undefined {
    return this.bag.best(template, (item) => conflicting(item, tx, take))
  }

  /** Who waits only for what a transaction holds, does so no longer when none does. */
  missIfExists(): void {
    for (const waiter of this.waiters.ifExists()) {
      if (!this.conflict(waiter.template, waiter.tx, waiter.take)) waiter.miss()
    }
  }

  watchConflicts(): void {
    for (const waiter of this.waiters.ifExists()) this.watchConflict(waiter)
  }

  /** What it waits for may also go by its lease. */
  watchConflict(waiter: Waiter): void {
    if (!this.waiters.has(waiter)) return
    const item = this.conflict(waiter.template, waiter.tx, waiter.take)
    if (!item) return waiter.miss()
    const left = Math.min(item.expiresAt - wallMs(), LONGEST_TIMER_MS)
    setTimeout(() => this.watchConflict(waiter), left + 1).unref()
  }

  /** Whoever asked for it hears what became of it. */
  tell({ requester }: Item, outcome: Outcome): void {
    requester?.onOutcome(outcome)
  }

  /** In a turn of its own, as everywhere else. */
  post(presence: string, message: Buffer): boolean {
    const onMessage = this.listeners.get(presence)
    if (onMessage) queueMicrotask(() => this.listeners.get(presence) === onMessage && onMessage(message))
    return onMessage !== undefined
  }

  /** A process is gone, or somebody took it for gone: what it held is there again, what it did under transactions never was. */
  bury(presence: string): void {
    for (const transaction of this.transactions.of(presence)) this.#expired(transaction)
    for (const held of this.offers.of(presence)) this.#recover(held)
    this.sessions.bury(presence, false)
  }

  /** It takes its leave: what it has not started is given back, and counts no death. */
  leave(presence: string): void {
    this.suspend(presence, [])
    this.forget(presence)
  }

  /** It is gone indeed: nobody waits there any longer, and nobody asks for its requests. */
  forget(presence: string): void {
    this.#joined.delete(presence)
    this.waiters.forget(presence)
    this.registrations.forget(presence)
    this.sessions.bury(presence, true)
    this.bury(presence)
    this.listeners.delete(presence)
    for (const item of this.bag.requestsOf(presence)) {
      item.requester = undefined
      // Who works on it works for nobody.
      this.offers.lose(item)
      if (item.claim === '') this.bag.remove(item.entry.id)
      if (this.#joined.size === 0) this.#onEmpty()
    }
  }

  /** It does not answer: what it was handed and has not running goes to others, and counts no death. */
  suspend(presence: string, running: readonly string[]): void {
    this.#silent = presence
    for (const held of this.offers.of(presence)) {
      const item = this.offers.heldBy(held.delivery)
      if (!item || item.started || running.includes(held.delivery.id)) continue
      this.putBack(item)
      held.delivery.holder?.lost()
    }
    // In one program it answers as soon as this is done.
    this.#silent = undefined
  }

  #sessionEnded(id: string, owner: string, reason: SessionEnd): void {
    const indexed = owner === '' ? [] : [ownerToken(owner)]
    const body = endedBody(reason, owner)
    this.registrations.ended({ id, kinds: [SESSION], indexed, verified: [], body, leaseMs: 0, priority: 0 })
  }

  #bears(presence: string, item: Item): boolean {
    return presence !== this.#silent && this.offers.bears(presence, item)
  }

  /** What a holder that died had: whether it may run again is the request's to say, and how often (DESIGN §3, promise 5). */
  #recover({ delivery }: HeldDelivery): void {
    const item = this.offers.heldBy(delivery)
    if (!item) return
    const { request, id } = item.entry
    item.deaths++
    const streamed = request?.streamed === true && !item.answering
    if (hasNoSuccessor(item) && !(streamed && item.deaths >= request!.maxDeliveries)) {
      this.bag.remove(id)
      this.tell(item, { kind: 'lost' })
    } else if (request && item.deaths >= request.maxDeliveries) {
      item.claim = ''
      this.tell(item, { kind: 'exhausted' })
      this.deadLetter(item, 'exhausted')
    } else {
      this.putBack(item)
    }
    delivery.holder?.lost()
  }
}

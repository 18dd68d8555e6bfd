/**
 * World: the state of a memory space, shared by all processes that have opened it. Each step is atomic, without an
 * await.
 */
import { LONGEST_TIMER_MS, wallMs } from '../../clock.js'
import { endedBody, ownerToken, SESSION, type SessionEnd } from '../../engine/sessions.js'
import { DEAD_LETTER, type EncodedEntry, type EncodedTemplate, type OnMessagePart, type Outcome } from '../../engine.js'
import { deadLetterEntry } from '../../entry/dead-letter.js'
import { Bag, conflicting, hasNoSuccessor, type Item, type ItemRequester, storedOf } from './bag.js'
import { type HeldDelivery, Offers } from './offers.js'
import { Originals } from './originals.js'
import { inPlace } from './place.js'
import { MemoryRegistrations, type WhatHappens } from './registrations.js'
import { MemorySessions } from './session-entries.js'
import { MemoryTransactions, type OpenTransaction } from './transactions.js'
import { UnfinishedCommits } from './unfinished.js'
import { type Waiter, Waiters } from './waiters.js'

export class World {
  readonly bag = new Bag()
  readonly waiters = new Waiters()
  readonly offers = new Offers(this.bag, this.waiters)
  readonly transactions = new MemoryTransactions((transaction) => this.#expired(transaction))
  readonly originals = new Originals(this.bag, this.transactions)
  readonly unfinished = new UnfinishedCommits()
  readonly registrations = new MemoryRegistrations()
  readonly sessions = new MemorySessions((id, owner, reason) => this.#sessionEnded(id, owner, reason))
  /** Message listeners, by presence. */
  readonly listeners = new Map<string, OnMessagePart>()
  /** Finds that wait only while a match is held by a transaction. */
  readonly #conflictTimers = new WeakMap<Waiter, NodeJS.Timeout>()
  #sessions = 0
  readonly #joined = new Set<string>()
  readonly #onEmpty: () => void
  /** The process that does not answer at the moment: nothing is handed to it. */
  #silent: string | undefined

  /** `onEmpty` is called when the last process has left. */
  constructor(onEmpty: () => void = () => {}) {
    this.#onEmpty = onEmpty
  }

  /** Returns the name of a new process: `given`, or a new one. */
  join(given?: string): string {
    const presence = given ?? `memory${++this.#sessions}`
    this.#joined.add(presence)
    return presence
  }

  /** Returns whether there is such a process. */
  knows(presence: string): boolean {
    return this.#joined.has(presence)
  }

  put(entries: readonly EncodedEntry[], tx: string | undefined, requester?: ItemRequester): Item[] {
    const transaction = tx === undefined ? undefined : this.transactions.get(tx)
    const now = wallMs()
    const items = entries.map((entry) => this.bag.put(entry, now, tx))
    for (const item of items) {
      // A lease of 0 has ended already.
      if (!this.#isThere(item)) continue
      item.requester = requester
      transaction?.items.add(item)
      this.change(item, { isNew: true, written: true }, () => {})
    }
    return items
  }

  /** Changes an entry and serves waiting finds. */
  change(item: Item, what: WhatHappens, change: () => void): void {
    this.registrations.around(item, () => storedOf(item), what, change)
    for (const reader of this.waiters.readers(item, false)) reader.serve(item)
    this.waiters.taker(item, (presence) => this.#bears(presence, item))?.serve(item)
    if (!this.#isThere(item)) return
    for (const reader of this.waiters.readers(item, true)) reader.serve(item)
  }

  #isThere(item: Item): boolean {
    return this.bag.get(item.entry.id) === item
  }

  /** Undoes a take. A request whose requester is gone is removed. */
  putBack(item: Item): void {
    if (item.entry.request && !item.requester) return this.bag.remove(item.entry.id)
    item.claim = ''
    this.bag.restore(item)
    item.started = false
    item.answering = false
    this.change(item, { isNew: true, written: false }, () => {})
  }

  /** Gives an entry to a find: removes it, or locks it for the transaction. */
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

  /**
   * Ends a transaction. Committed: its writes are visible, its takes removed. Aborted: its writes are removed, its
   * takes undone. Its reads no longer lock.
   */
  end(tx: string, committed: boolean): void {
    const transaction = this.transactions.close(tx)
    if (!transaction) return
    this.registrations.endOf(tx)
    this.waiters.endOf(tx)
    const changed = this.originals.endOf(transaction, committed)
    // Best first: waiting finds get the best match.
    for (const item of inPlace(transaction.items)) {
      if (!this.#isThere(item)) continue
      const [wrote, took] = [item.writer === tx, item.taker === tx]
      if ((took && (committed || wrote)) || (wrote && !committed)) {
        this.bag.remove(item.entry.id)
      } else {
        const isChange = changed.has(item)
        this.change(item, { isNew: false, written: wrote && !isChange, changed: isChange }, () => {
          item.readers.delete(tx)
          if (wrote) item.writer = undefined
          if (took) item.taker = undefined
        })
      }
    }
    this.missIfExists()
  }

  /** Moves an entry to the dead letters, also one that was taken. */
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

  /** Ends the finds that wait only while a match is held by a transaction, if none is. */
  missIfExists(): void {
    for (const waiter of this.waiters.ifExists()) {
      if (!this.conflict(waiter.template, waiter.tx, waiter.take)) waiter.miss()
    }
  }

  watchConflicts(): void {
    for (const waiter of this.waiters.ifExists()) this.watchConflict(waiter)
  }

  /** The held match may also end with its lease. */
  watchConflict(waiter: Waiter): void {
    if (!this.waiters.has(waiter)) return
    const item = this.conflict(waiter.template, waiter.tx, waiter.take)
    if (!item) return waiter.miss()
    const left = Math.min(item.expiresAt - wallMs(), LONGEST_TIMER_MS)
    clearTimeout(this.#conflictTimers.get(waiter))
    this.#conflictTimers.set(waiter, setTimeout(() => this.watchConflict(waiter), left + 1).unref())
  }

  /** Reports the outcome of a request to its requester. */
  tell({ requester }: Item, outcome: Outcome): void {
    requester?.onOutcome(outcome)
  }

  /** Delivers a message in a microtask. */
  post(presence: string, message: Buffer): boolean {
    const onPart = this.listeners.get(presence)
    if (onPart) queueMicrotask(() => this.listeners.get(presence) === onPart && onPart(message, true))
    return onPart !== undefined
  }

  /**
   * Releases everything that a process held, because it is gone or was declared dead: its deliveries are recovered, its
   * transactions aborted.
   */
  bury(presence: string): void {
    for (const transaction of this.transactions.of(presence)) this.#expired(transaction)
    for (const held of this.offers.of(presence)) this.#recover(held)
    this.sessions.bury(presence, false)
    this.bag.removeTold(presence)
  }

  /** Leaves in good order: requests that have not started are given back, without counting a death. */
  leave(presence: string): void {
    this.suspend(presence, [])
    this.forget(presence)
  }

  /** Removes a process: its waits, registrations and requests. */
  forget(presence: string): void {
    this.#joined.delete(presence)
    this.waiters.forget(presence)
    this.registrations.forget(presence)
    this.sessions.bury(presence, true)
    this.bury(presence)
    this.listeners.delete(presence)
    this.unfinished.watchers.delete(presence)
    for (const item of this.bag.requestsOf(presence)) {
      item.requester = undefined
      // The holder's result is of no use.
      this.offers.lose(item)
      if (item.claim === '') this.bag.remove(item.entry.id)
      if (this.#joined.size === 0) this.#onEmpty()
    }
  }

  /** Gives requests that a process has not started to others, without counting a death. */
  suspend(presence: string, running: readonly string[]): void {
    this.#silent = presence
    for (const held of this.offers.of(presence)) {
      const item = this.offers.heldBy(held.delivery)
      if (!item || item.started || running.includes(held.delivery.id)) continue
      this.putBack(item)
      held.delivery.holder?.lost()
    }
    // Within one program the process answers as soon as this is done.
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

  /**
   * Recovers a delivery of a dead holder: the request says whether, and how often, it may run again (DESIGN §3, promise
   * 5).
   */
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

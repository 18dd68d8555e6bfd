/**
 * The memory engine: the executable specification of all engines. Small, in one process; if another engine differs from
 * it, this one is read first. No step contains an await, so each call is atomic by construction.
 */

import { monotonicMs, wallMs } from '../../clock.js'
import type { Bounds } from '../../engine/bounds.js'
import { SESSION } from '../../engine/sessions.js'
import type {
  Backlog,
  CompletionEffects,
  Delivery,
  EncodedEntry,
  EncodedTemplate,
  Engine,
  Find,
  Grant,
  Health,
  Interest,
  Offer,
  OnMessagePart,
  Outcome,
  Page,
  Registered,
  Repaired,
  SearchPlan,
  Stored,
} from '../../engine.js'
import { SpaceError } from '../../errors.js'
import { Wait } from '../../runtime/wait.js'
import { hasNoSuccessor, type Item, readable, type Size, storedOf, takeable } from './bag.js'
import { MemoryChanges } from './changes.js'
import { backlogIn, countIn, pageIn } from './listings.js'
import { SessionAccess } from './session-access.js'
import { MemoryTickets } from './tickets.js'
import { TransactionsInMemory } from './transactions.js'
import { MemoryTwoPhase } from './two-phase.js'
import type { Waiter } from './waiters.js'
import { World } from './world.js'

/** How long a refused write counts as `full`; after that, writes have to be tried again. */
const FULL_MS = 3_000

export class MemoryEngine implements Engine {
  readonly durability = 'memory'
  readonly isCertain = true
  readonly isReachable = true
  readonly presence: string
  readonly tickets: MemoryTickets
  readonly sessions: SessionAccess
  readonly changes: MemoryChanges
  readonly twoPhase: MemoryTwoPhase
  readonly transactions: TransactionsInMemory
  /** The state that all processes of the space share. */
  readonly world: World
  /** Pending waits, to be ended by close(). */
  readonly #waits = new Set<Wait<Item | null>>()
  readonly #bounds: Bounds
  /** When a write was last refused because the space is full, on the monotonic clock. */
  #refusedAt = Number.NEGATIVE_INFINITY
  #closed = false

  /**
   * Processes with the same world share a space; each has its own bounds for its writes. `presence`: the name of the
   * process, if it has one in another world.
   */
  constructor(world = new World(), bounds: Bounds = {}, presence?: string) {
    this.world = world
    this.#bounds = bounds
    this.presence = world.join(presence)
    this.transactions = new TransactionsInMemory(world.transactions)
    this.twoPhase = new MemoryTwoPhase(world, this.presence, () => this.#open())
    this.tickets = new MemoryTickets(world, this.presence, (entries) => {
      this.#open()
      this.#refuseBeyond(entries)
    })
    this.changes = new MemoryChanges(world, {
      open: () => this.#open(),
      refuseBeyond: (entry, replaced, tx) => this.#refuseBeyond([entry], tx, replaced),
    })
    this.sessions = new SessionAccess(world.sessions, this.presence, (count, bytes) =>
      this.#hasRoom([], { count, bytes }),
    )
  }

  async write(entries: readonly EncodedEntry[], tx?: string): Promise<Grant[]> {
    this.#open()
    if (tx !== undefined) this.world.transactions.get(tx)
    this.#refuseBeyond(entries, tx)
    const items = this.world.put(entries, tx)
    return items.map(({ expiresAt }) => ({ expiresAt }))
  }

  async find(find: Find): Promise<Stored | null> {
    const endsAt = monotonicMs() + find.waitMs
    for (let waitMs = find.waitMs; ; waitMs = Math.max(endsAt - monotonicMs(), 0)) {
      const item = await this.#find({ ...find, waitMs })
      if (!item) return null
      const stored = storedOf(item)
      try {
        if (!find.conforms || (await find.conforms(stored))) return stored
        const there = find.take || this.world.bag.get(stored.id) === item
        if (there && this.world.deadLetter(item, 'nonconforming')) find.onNonconforming?.(stored)
        find.signal?.throwIfAborted()
      } catch (error) {
        if (find.take && find.tx === undefined) this.world.putBack(item)
        throw error
      }
    }
  }

  async takeMany(find: Find, most: number): Promise<Stored[]> {
    const taken: Stored[] = []
    try {
      while (taken.length < most) {
        const stored = await this.find(find)
        if (!stored) break
        taken.push(stored)
      }
    } catch (error) {
      if (taken.length === 0) throw error
    }
    return taken
  }

  async #find({ template, take, waitMs, signal, tx, ifExists = false }: Find): Promise<Item | null> {
    this.#open()
    if (tx !== undefined) this.world.transactions.get(tx)
    const item = this.world.bag.best(template, (each) => (take ? takeable(each, tx) : readable(each, tx)))
    if (item) return this.world.give(item, take, tx)
    if (waitMs <= 0 || (ifExists && !this.world.conflict(template, tx, take))) return null

    const wait = new Wait<Item | null>()
    const end = (settle: () => void) => () => {
      this.world.waiters.remove(waiter)
      settle()
    }
    const waiter: Waiter = {
      template,
      take,
      tx,
      ifExists,
      credit: 1,
      presence: this.presence,
      serve: (found) => end(() => wait.resolve(this.world.give(found, take, tx)))(),
      miss: end(() => wait.resolve(null)),
      fail: (error) => end(() => wait.reject(error))(),
    }
    this.world.waiters.add(waiter)
    this.#waits.add(wait)
    if (ifExists) this.world.watchConflict(waiter)
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
    const registered = this.world.registrations.renew(id, leaseMs)
    if (registered !== undefined) return { expiresAt: registered }
    const item = this.world.bag.get(id)
    if (!item) return null
    const before = item.expiresAt
    this.world.bag.setLease(item, wallMs() + leaseMs)
    // A shorter lease shortens the waits for its transaction.
    if (item.expiresAt < before) this.world.watchConflicts()
    return { expiresAt: item.expiresAt }
  }

  async cancel(id: string): Promise<boolean> {
    this.#open()
    if (this.world.registrations.remove(id)) return true
    const item = this.world.bag.get(id)
    if (!item) return false
    this.world.bag.remove(id)
    this.world.offers.lose(item)
    this.world.missIfExists()
    return true
  }

  begin(leaseMs: number, onEnded: () => void): string {
    this.#open()
    return this.world.transactions.begin(this.presence, leaseMs, onEnded)
  }

  async renewTransaction(tx: string, leaseMs: number): Promise<Grant> {
    this.#open()
    return { expiresAt: this.world.transactions.renew(tx, leaseMs) }
  }

  async commit(tx: string, entries: readonly EncodedEntry[]): Promise<void> {
    this.#open()
    this.world.transactions.get(tx)
    this.#refuseBeyond(entries, tx)
    this.world.put(entries, undefined)
    this.world.end(tx, true)
  }

  async abort(tx: string): Promise<void> {
    if (!this.#closed) this.world.end(tx, false)
  }

  async notify(interest: Interest): Promise<Registered> {
    this.#open()
    if (interest.tx !== undefined) this.world.transactions.get(interest.tx)
    return this.world.registrations.add(this.presence, interest)
  }

  async request(entry: EncodedEntry, onOutcome: (outcome: Outcome) => void): Promise<void> {
    this.#open()
    this.#refuseBeyond([entry])
    this.world.put([entry], undefined, { presence: this.presence, onOutcome })
  }

  async withdraw(id: string): Promise<void> {
    if (!this.#closed) await this.cancel(id)
  }

  async offer(template: EncodedTemplate, credit: number, onDelivery: (delivery: Delivery) => void): Promise<Offer> {
    this.#open()
    return this.world.offers.open(this.presence, template, credit, onDelivery)
  }

  async start(delivery: Delivery): Promise<boolean> {
    const item = this.world.offers.heldBy(delivery)
    if (item) item.started = true
    return item !== undefined
  }

  async beginStreaming(delivery: Delivery, answers: boolean): Promise<boolean> {
    const item = this.world.offers.heldBy(delivery)
    if (!item?.requester) return false
    item.started = true
    this.world.bag.setLease(item, Number.POSITIVE_INFINITY)
    if (answers) {
      item.answering = true
      this.world.tell(item, { kind: 'responseStarted', claim: item.claim, holder: this.presence })
    }
    return true
  }

  async releaseSlot(delivery: Delivery): Promise<void> {
    this.world.offers.releaseSlot(delivery)
  }

  awaitIndefinitely(_id: string): void {}

  async post(presence: string, message: readonly Buffer[]): Promise<boolean> {
    return this.world.post(presence, Buffer.concat(message))
  }

  async hear(onPart: OnMessagePart): Promise<void> {
    this.world.listeners.set(this.presence, onPart)
  }

  async complete(delivery: Delivery, body: Buffer, credit: number, along?: CompletionEffects): Promise<boolean> {
    if (along?.tx !== undefined) this.world.transactions.get(along.tx)
    const item = this.world.offers.heldBy(delivery)
    if (item) {
      if (along) this.#refuseBeyond(along.entries, along.tx, item)
      this.world.bag.remove(item.entry.id)
      this.world.tell(item, { kind: 'completed', body })
      if (along) {
        this.world.put(along.entries, undefined)
        if (along.tx !== undefined) this.world.end(along.tx, true)
      }
    }
    this.world.offers.end(delivery, credit)
    return item !== undefined
  }

  async release(delivery: Delivery): Promise<void> {
    const item = this.world.offers.heldBy(delivery)
    if (item && hasNoSuccessor(item)) {
      // It had started and may not run twice.
      this.world.bag.remove(item.entry.id)
      this.world.tell(item, { kind: 'lost' })
    } else if (item) {
      this.world.putBack(item)
    }
    this.world.offers.end(delivery, 1)
  }

  async declareDead(presence: string): Promise<void> {
    this.world.bury(presence)
  }

  async suspend(presence: string, running: readonly string[] | undefined): Promise<void> {
    if (running && presence !== this.presence) this.world.suspend(presence, running)
  }

  async deadLetter(id: string, reason: string): Promise<boolean> {
    this.#open()
    const item = this.world.bag.get(id)
    return item !== undefined && this.world.deadLetter(item, reason)
  }

  async list(template: EncodedTemplate, after: string | null, most: number, tx?: string): Promise<Page> {
    this.#open()
    if (tx !== undefined) this.world.transactions.get(tx)
    return pageIn(this.world, template, after, most, tx)
  }

  async count(template: EncodedTemplate): Promise<number> {
    this.#open()
    return countIn(this.world, template)
  }

  async plan(template: EncodedTemplate): Promise<SearchPlan> {
    this.#open()
    return this.world.bag.plan(template)
  }

  async backlog(template: EncodedTemplate): Promise<Backlog> {
    this.#open()
    return backlogIn(this.world, template)
  }

  async offered({ kind, indexed }: EncodedTemplate): Promise<readonly string[]> {
    this.#open()
    return this.world.waiters.offered(kind, indexed[0])
  }

  async kinds(): Promise<ReadonlyMap<string, number>> {
    this.#open()
    const roots = this.world.bag.roots()
    const sessions = this.world.sessions.ids(undefined).length
    return sessions > 0 ? roots.set(SESSION, sessions) : roots
  }

  async health(): Promise<Health> {
    const connected = !this.#closed
    const full = monotonicMs() - this.#refusedAt < FULL_MS
    return {
      connected,
      answeredMsAgo: connected ? 0 : Number.POSITIVE_INFINITY,
      full,
      damaged: 0,
      unusable: false,
      queued: 0,
      reconnects: 0,
      gaps: 0,
    }
  }

  /** Values in memory are not checked: they have no indexes that could be lost. */
  async repair(): Promise<Repaired> {
    return { entries: 0, restored: 0, damaged: 0, unsure: 0 }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.world.leave(this.presence)
    for (const wait of this.#waits) wait.reject(new SpaceError('SPACE_CLOSED'))
    this.sessions.close()
  }

  /**
   * Entries that a transaction has taken, and the entry that ends, make room for its writes. @throws SpaceError
   * SPACE_FULL
   */
  #refuseBeyond(entries: readonly EncodedEntry[], tx?: string, ending?: Item): void {
    const { maxEntries, maxBytes } = this.#bounds
    if (entries.length === 0 || (maxEntries === undefined && maxBytes === undefined)) return
    const taken = tx === undefined ? [] : [...this.world.transactions.get(tx).items].filter(({ taker }) => taker === tx)
    if (!this.#hasRoom(entries, { count: 0, bytes: 0 }, ending ? [...taken, ending] : taken))
      throw new SpaceError('SPACE_FULL')
  }

  /** `more` is the size of new sessions. */
  #hasRoom(entries: readonly EncodedEntry[], more: Size, going: readonly Item[] = []): boolean {
    const { maxEntries, maxBytes } = this.#bounds
    if (maxEntries === undefined && maxBytes === undefined) return true
    const { size } = this.world.sessions
    if (this.world.bag.hasRoom(entries, this.#bounds, going, size, more)) return true
    this.#refusedAt = monotonicMs()
    return false
  }

  #open(): void {
    if (this.#closed) throw new SpaceError('SPACE_CLOSED')
  }
}

/**
 * The engine of several partitions: one space over several engines, each of which has a part of its entries. Order,
 * bounds and most transactions are within one partition; docs/partitions.md says what that means for a program.
 */

import { weakestOf } from '../../engine/durability.js'
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
  MemoryOfStore,
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
import { PartitionedChanges } from './changes.js'
import { PartitionedFinds } from './finds.js'
import { firstOf } from './first-placed.js'
import { PartitionedListings } from './listings.js'
import { PartitionedOffers, type PlacedDelivery } from './offers.js'
import { FixedPlacement, type Placement } from './placement.js'
import { PartitionedRegistrations } from './registrations.js'
import { PartitionedRequests } from './requests.js'
import { PartitionedSessions } from './sessions.js'
import { PartitionedTickets } from './tickets.js'
import { PartitionedTransactions } from './transactions.js'
import { TransactionsInPartitions } from './transactions-of-all.js'

export class PartitionedEngine implements Engine {
  readonly presence: string
  readonly sessions: PartitionedSessions
  readonly tickets: PartitionedTickets
  readonly changes: PartitionedChanges
  readonly transactions = new TransactionsInPartitions(() => this.#inUse)
  readonly #members: readonly Engine[]
  /** Those that are part of the space now. */
  #inUse: readonly Engine[]
  readonly #placement: Placement
  readonly #transactions: PartitionedTransactions
  readonly #finds: PartitionedFinds
  readonly #offers: PartitionedOffers
  readonly #registrations: PartitionedRegistrations
  readonly #listings: PartitionedListings
  readonly #requests: PartitionedRequests

  /**
   * `members`: the partitions, in the same order in every process of the space. This process has the same name in all
   * of them. `placement`: where things are; default: every partition has its share.
   */
  constructor(members: readonly Engine[], placement?: Placement) {
    const [first] = members
    if (!first || members.some(({ presence }) => presence !== first.presence)) {
      throw new SpaceError('INTERNAL', 'A process must have the same name in all partitions.')
    }
    this.presence = first.presence
    this.#members = members
    this.#inUse = members
    const isReachable = (partition: number): boolean => members[partition]!.isReachable
    this.#placement = placement ?? new FixedPlacement(members.length, first.presence, isReachable)
    this.#transactions = new PartitionedTransactions(members, this.#placement)
    this.#finds = new PartitionedFinds(members, this.#placement, this.#transactions)
    this.#offers = new PartitionedOffers(members, this.#placement, this.#transactions)
    this.#registrations = new PartitionedRegistrations(members, this.#placement, this.#transactions)
    this.#listings = new PartitionedListings(members, this.#placement, this.#transactions)
    this.#requests = new PartitionedRequests(members, this.#placement)
    this.sessions = new PartitionedSessions(members, this.#placement)
    this.changes = new PartitionedChanges(members, this.#placement, this.#transactions)
    this.tickets = new PartitionedTickets(members, this.#placement, this.#offers)
  }

  /** To be called when the placement uses other partitions than before. */
  placementChanged(): void {
    this.#inUse = this.#placement.all.map((partition) => this.#members[partition]!)
  }

  /** True while entries may move from one partition to another. */
  get isMoving(): boolean {
    return this.#placement.arrived !== undefined
  }

  /** The weakest of all. */
  get durability(): string {
    return weakestOf(this.#inUse.map(({ durability }) => durability))
  }

  get server(): string | undefined {
    return this.#inUse[0]!.server
  }

  get access(): Engine['access'] {
    return this.#inUse[0]!.access
  }

  get isCertain(): boolean {
    for (const member of this.#inUse) if (!member.isCertain) return false
    return true
  }

  get isReachable(): boolean {
    for (const member of this.#inUse) if (!member.isReachable) return false
    return true
  }

  placed(entries: readonly EncodedEntry[], tx?: string): readonly EncodedEntry[] {
    const own = tx === undefined ? undefined : this.#transactions.get(tx)
    if (own?.spans) {
      return entries.map((entry) => ({
        ...entry,
        id: this.#placement.mark(entry.id, this.#transactions.placeFor(own, entry)),
      }))
    }
    const partition = own
      ? this.#transactions.homeFor(own, entries)
      : (this.#transactions.keyed(entries) ?? this.#placement.next())
    return entries.map((entry) => ({ ...entry, id: this.#placement.mark(entry.id, partition) }))
  }

  async write(entries: readonly EncodedEntry[], tx?: string): Promise<Grant[]> {
    if (tx !== undefined) {
      const own = this.#transactions.get(tx)
      if (own.spans) return this.#transactions.write(own, entries)
      const home = this.#transactions.homeFor(own, entries)
      return this.#members[home]!.write(entries, this.#transactions.in(own, home))
    }
    const partition = this.#transactions.keyed(entries) ?? this.#placement.ofId(entries[0]?.id ?? '')
    return this.#members[partition]!.write(entries)
  }

  find(find: Find): Promise<Stored | null> {
    return this.#finds.find(find)
  }

  takeMany(find: Find, most: number): Promise<Stored[]> {
    return this.#finds.takeMany(find, most)
  }

  async renew(id: string, leaseMs: number): Promise<Grant | null> {
    if (this.#registrations.has(id)) return this.#registrations.renew(id, leaseMs)
    return this.#wherever(id, (member) => member.renew(id, leaseMs))
  }

  async cancel(id: string): Promise<boolean> {
    if (this.#registrations.has(id)) return this.#registrations.cancel(id)
    return this.#wherever(id, (member) => member.cancel(id))
  }

  begin(leaseMs: number, onEnded: () => void, near?: Delivery, spans?: boolean): string {
    if (this.#isClosed) throw new SpaceError('SPACE_CLOSED')
    return this.#transactions.begin(leaseMs, onEnded, (near as PlacedDelivery | undefined)?.home, spans)
  }

  async renewTransaction(tx: string, leaseMs: number): Promise<Grant> {
    return this.#transactions.renew(tx, leaseMs)
  }

  async commit(tx: string, entries: readonly EncodedEntry[]): Promise<void> {
    return this.#transactions.commit(tx, entries)
  }

  async abort(tx: string): Promise<void> {
    return this.#transactions.abort(tx)
  }

  async notify(interest: Interest): Promise<Registered> {
    return this.#registrations.notify(interest)
  }

  request(entry: EncodedEntry, onOutcome: (outcome: Outcome) => void): Promise<void> {
    return this.#requests.write(entry, onOutcome)
  }

  withdraw(id: string): Promise<void> {
    return this.#requests.withdraw(id)
  }

  offer(template: EncodedTemplate, credit: number, onDelivery: (delivery: Delivery) => void): Promise<Offer> {
    return this.#offers.open(template, credit, onDelivery)
  }

  start(delivery: Delivery): Promise<boolean> {
    return this.#offers.of(delivery).start(delivery)
  }

  beginStreaming(delivery: Delivery, answers: boolean): Promise<boolean> {
    return this.#offers.of(delivery).beginStreaming(delivery, answers)
  }

  releaseSlot(delivery: Delivery): Promise<void> {
    return this.#offers.releaseSlot(delivery)
  }

  awaitIndefinitely(id: string): void {
    this.#requests.awaitIndefinitely(id)
  }

  complete(delivery: Delivery, body: Buffer, credit: number, along?: CompletionEffects): Promise<boolean> {
    return this.#offers.complete(delivery, body, credit, along)
  }

  release(delivery: Delivery): Promise<void> {
    return this.#offers.release(delivery)
  }

  async declareDead(presence: string): Promise<void> {
    await Promise.all(this.#inUse.map((member) => member.declareDead(presence)))
  }

  async suspend(presence: string, running: readonly string[] | undefined): Promise<void> {
    await Promise.all(this.#inUse.map((member) => member.suspend(presence, running)))
  }

  /** All messages to one process pass through one partition, so they keep their order. */
  post(presence: string, message: readonly Buffer[]): Promise<boolean> {
    const { turning } = this.#placement
    if (turning) return turning.then(() => this.post(presence, message))
    return this.#members[this.#placement.ofMessagesTo(presence)]!.post(presence, message)
  }

  async hear(onPart: OnMessagePart, onGap: () => void): Promise<void> {
    const heard = this.#placement.heardAt(this.presence).map((partition, source) => {
      return this.#members[partition]!.hear((part, isFirst) => onPart(part, isFirst, source), onGap)
    })
    await Promise.all(heard)
  }

  async deadLetter(id: string, reason: string): Promise<boolean> {
    return this.#wherever(id, (member) => member.deadLetter(id, reason))
  }

  list(template: EncodedTemplate, after: string | null, most: number, tx?: string): Promise<Page> {
    return this.#listings.page(template, after, most, tx)
  }

  count(template: EncodedTemplate): Promise<number> {
    return this.#listings.count(template)
  }

  plan(template: EncodedTemplate): Promise<SearchPlan> {
    return this.#listings.plan(template)
  }

  backlog(template: EncodedTemplate): Promise<Backlog> {
    return this.#listings.backlog(template)
  }

  offered(template: EncodedTemplate): Promise<readonly string[] | null> {
    return this.#listings.offered(template)
  }

  kinds(): Promise<ReadonlyMap<string, number>> {
    return this.#listings.kinds()
  }

  async health(): Promise<Health> {
    const all = await Promise.all(this.#inUse.map((member) => member.health()))
    const sum = (count: (health: Health) => number): number => all.reduce((total, each) => total + count(each), 0)
    return {
      connected: all.every(({ connected }) => connected),
      answeredMsAgo: Math.max(...all.map(({ answeredMsAgo }) => answeredMsAgo)),
      full: all.some(({ full }) => full),
      evicts: all.find(({ evicts }) => evicts !== undefined)?.evicts,
      damaged: sum(({ damaged }) => damaged),
      unusable: all.some(({ unusable }) => unusable),
      queued: sum(({ queued }) => queued),
      reconnects: sum(({ reconnects }) => reconnects),
      gaps: sum(({ gaps }) => gaps),
      memory: fullestOf(all.flatMap(({ memory }) => memory ?? [])),
    }
  }

  async repair(): Promise<Repaired> {
    const all = await Promise.all(this.#inUse.map((member) => member.repair()))
    const sum = (count: (repaired: Repaired) => number): number => all.reduce((total, each) => total + count(each), 0)
    return {
      entries: sum(({ entries }) => entries),
      restored: sum(({ restored }) => restored),
      damaged: sum(({ damaged }) => damaged),
      unsure: sum(({ unsure }) => unsure),
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#offers.close()
    await Promise.all(this.#members.map((member) => member.close()))
  }

  #isClosed = false

  #of(id: string): Engine {
    return this.#members[this.#placement.ofId(id)]!
  }

  /**
   * Returns the first result that is one. An id without a mark may be that of an entry beside another one: then the
   * other partitions are asked, too.
   */
  async #wherever<T>(id: string, ask: (member: Engine) => Promise<T>): Promise<T> {
    if (this.#placement.arrived)
      return firstOf(this.#placement, this.#placement.inTurn(), (partition) => ask(this.#members[partition]!))
    const likely = this.#of(id)
    const found = await ask(likely)
    if (found || this.#placement.marked(id) !== undefined) return found
    const others = await Promise.all(this.#members.filter((member) => member !== likely).map(ask))
    return others.find(Boolean) ?? found
  }
}

const shareOf = ({ usedBytes, limitBytes }: MemoryOfStore): number => (limitBytes > 0 ? usedBytes / limitBytes : 0)

/** The servers fill up one by one: writes are refused by the first that is full. */
const fullestOf = (all: readonly MemoryOfStore[]): MemoryOfStore | undefined =>
  [...all].sort((a, b) => shareOf(b) - shareOf(a) || b.usedBytes - a.usedBytes)[0]

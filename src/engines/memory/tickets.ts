/** Tickets of a memory space: entries that change their kind when they are settled. */

import {
  BESIDE_OUTCOME,
  CANCELLED,
  COMPLETED,
  EXHAUSTED,
  LOST,
  type Opening,
  RESULT,
  type SettledPage,
  TICKET,
  type TicketState,
  type Tickets,
  type TicketTerms,
  ticketOf,
  ticketsFull,
} from '../../engine/tickets.js'
import type { Delivery, EncodedEntry, Outcome } from '../../engine.js'
import { pendingEntry, resultEntry } from '../../entry/ticket.js'
import { tokenOf } from '../../entry/token.js'
import { type Item, storedOf } from './bag.js'
import type { World } from './world.js'

/** The state of a ticket without an outcome. */
interface Pending {
  readonly terms: TicketTerms
  /** The entry that will settle it. */
  readonly requestId: string
  /** The process that waits for it. */
  owner: string | undefined
  progress: Buffer
}

export class MemoryTickets implements Tickets {
  readonly #world: World
  readonly #presence: string
  readonly #check: (entries: readonly EncodedEntry[]) => void

  /** `check` throws if the process may not write these entries. */
  constructor(world: World, presence: string, check: (entries: readonly EncodedEntry[]) => void) {
    this.#world = world
    this.#presence = presence
    this.#check = check
  }

  async open(terms: TicketTerms, entry: EncodedEntry): Promise<Opening> {
    const there = this.#world.bag.get(terms.id)
    if (there) return this.#join(there, terms)
    const ticket = pendingEntry(terms)
    this.#check([ticket, entry])
    this.#checkRoom(terms, sizeOf({ entry: ticket }))
    const [item] = this.#world.put([ticket], undefined)
    states.set(item!, { terms, requestId: entry.id, owner: this.#presence, progress: Buffer.alloc(0) })
    const onOutcome = (outcome: Outcome): void => this.#recordOutcome(entry.id, outcome)
    this.#world.put([entry], undefined, entry.request && { presence: '', onOutcome })
    return 'opened'
  }

  async settled(): Promise<SettledPage> {
    return { tickets: this.#ofKind(RESULT).map(storedOf), next: null }
  }

  /** An owner may have as much as is left for the others. */
  #checkRoom({ maxBytes, owner }: TicketTerms, size: number): void {
    const all = bytesOf(this.#ofKind(TICKET))
    if (all + size > maxBytes) throw ticketsFull('tickets', maxBytes)
    if (owner === undefined) return
    const own = bytesOf(this.#ofKind(TICKET, `owner=${tokenOf(owner)}`))
    if (own + size > maxBytes - all) throw ticketsFull('share', maxBytes)
  }

  #ofKind(kind: string, ...verified: string[]): Item[] {
    return this.#world.bag.all({ kind, root: TICKET, indexed: [], verified }, () => true)
  }

  #join(item: Item, { fingerprint }: TicketTerms): Opening {
    const { verified } = item.entry
    const mine = pendingEntry({ id: '', fingerprint, leaseMs: 0, keptMs: 0, maxBytes: 0 }).verified[0]!
    if (!isTicket(item) || !verified.includes(mine)) return 'differs'
    const pending = states.get(item)
    if (!pending) return 'joined'
    if (pending.owner !== undefined && this.#world.knows(pending.owner)) return 'busy'
    pending.owner = this.#presence
    return 'joined'
  }

  async settle(id: string, outcome: Buffer | null): Promise<boolean> {
    const item = this.#pending(id)
    if (!item) return false
    const { requestId } = states.get(item)!
    this.#conclude(item, outcome === null ? CANCELLED : COMPLETED, outcome ?? Buffer.alloc(0))
    const request = outcome === null ? this.#world.bag.get(requestId) : undefined
    if (request) {
      this.#world.bag.remove(requestId)
      this.#world.offers.lose(request)
    }
    return true
  }

  async recordProgress(id: string, progress: Buffer): Promise<boolean> {
    const item = this.#pending(id)
    if (!item) return false
    states.get(item)!.progress = progress
    const stored = (): ReturnType<typeof storedOf> => ({ ...storedOf(item), body: progress })
    this.#world.registrations.around(item, stored, { isNew: true, written: true }, () => {})
    return true
  }

  async reportProgress(delivery: Delivery, progress: Buffer): Promise<boolean> {
    const id = ticketOf(delivery.id)
    const item = this.#pending(id)
    const held = this.#world.offers.heldBy(delivery) && item && states.get(item)!.requestId === delivery.id
    return held ? this.recordProgress(id, progress) : false
  }

  async leave(id: string): Promise<void> {
    const item = this.#pending(id)
    const pending = item && states.get(item)
    if (pending?.owner === this.#presence) pending.owner = undefined
  }

  async look(id: string): Promise<TicketState | null> {
    const item = this.#world.bag.get(id)
    if (!item || !isTicket(item)) return null
    const pending = states.get(item)
    const { remainingMs } = storedOf(item)
    if (!pending) return { state: 'settled', remainingMs, requestId: '', deaths: 0, progress: Buffer.alloc(0) }
    const { requestId, progress } = pending
    const request = this.#world.bag.get(requestId)
    const state = !request ? 'absent' : request.claim === '' ? 'waiting' : 'running'
    return { state, remainingMs, requestId, deaths: request?.deaths ?? 0, progress }
  }

  #recordOutcome(requestId: string, outcome: Outcome): void {
    const item = this.#pending(ticketOf(requestId))
    if (!item || states.get(item)!.requestId !== requestId) return
    if (outcome.kind === 'completed') this.#conclude(item, COMPLETED, outcome.body)
    else this.#conclude(item, outcome.kind === 'lost' ? LOST : EXHAUSTED, Buffer.alloc(0))
  }

  #conclude(item: Item, kind: string, body: Buffer): void {
    const { terms } = states.get(item)!
    this.#world.bag.replace(item, resultEntry(item.entry, kind, terms.keptMs, body))
    const result = this.#world.bag.get(terms.id)
    if (result) this.#world.change(result, { isNew: true, written: true }, () => {})
  }

  #pending(id: string): Item | undefined {
    const item = this.#world.bag.get(id)
    return item && states.has(item) ? item : undefined
  }
}

/** Kept apart from the entries, and gone with them. */
const states = new WeakMap<Item, Pending>()

const isTicket = ({ entry }: Pick<Item, 'entry'>): boolean => entry.kinds.includes(TICKET)

/** Approximate size of a record's head on Redis. */
const HEAD = 190

const sizeOf = ({ entry }: Pick<Item, 'entry'>): number => entry.body.length + HEAD + BESIDE_OUTCOME

const bytesOf = (tickets: readonly Item[]): number => tickets.reduce((sum, item) => sum + sizeOf(item), 0)

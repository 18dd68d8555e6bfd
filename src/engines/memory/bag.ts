/** The entries of a memory space, found by template, best first. */

import { wallMs } from '../../clock.js'
import type { Bounds } from '../../engine/bounds.js'
import {
  CONTROL,
  type EncodedEntry,
  type EncodedTemplate,
  type Outcome,
  type SearchPlan,
  type Stored,
} from '../../engine.js'
import { Indexes } from './indexes.js'
import { matches } from './match.js'
import type { PlacedEntry } from './place.js'

/** The size of the sessions, which are stored elsewhere. */
export interface Size {
  readonly count: number
  readonly bytes: number
}

export interface ItemRequester {
  readonly presence: string
  onOutcome(outcome: Outcome): void
}

export interface Item extends PlacedEntry {
  readonly writtenAt: number
  expiresAt: number
  /** How many holders have died with it. */
  deaths: number
  /**
   * The current claim; '' without a holder. It changes with each claim, so operations under an older one are refused.
   */
  claim: string
  started: boolean
  /** True while its holder streams the response. */
  answering: boolean
  /** The process that waits for the outcome of a request. */
  requester: ItemRequester | undefined
  /** The transaction that wrote it, until that commits. */
  writer: string | undefined
  /** The transaction that took it, until that ends. */
  taker: string | undefined
  /** The transactions that read it, until they end. */
  readonly readers: Set<string>
}

/** Returns whether it can be read under this transaction, or under none. */
export const readable = (item: Item, tx: string | undefined): boolean =>
  item.claim === '' && item.taker === undefined && (item.writer === undefined || item.writer === tx)

/** Returns whether it can be taken: a transaction that has read it may take it if no other has. */
export const takeable = (item: Item, tx: string | undefined): boolean =>
  readable(item, tx) && [...item.readers].every((reader) => reader === tx)

/** Returns whether it exists but is held by another transaction. */
export const conflicting = (item: Item, tx: string | undefined, take: boolean): boolean =>
  item.claim === '' &&
  ((item.writer !== undefined && item.writer !== tx) ||
    (item.taker !== undefined && item.taker !== tx) ||
    (take && [...item.readers].some((reader) => reader !== tx)))

/** Returns whether no other holder may follow its current one. */
export const hasNoSuccessor = ({ entry: { request }, started, answering }: Item): boolean =>
  request !== undefined && started && (!request.repeatable || request.streamed === true || answering)

export function storedOf(item: Item): Stored {
  const { id, kinds, body, priority } = item.entry
  return { id, kinds, body, priority, writtenAt: item.writtenAt, remainingMs: item.expiresAt - wallMs() }
}

export class Bag {
  readonly #items = new Map<string, Item>()
  /** All but those that are held under a claim. */
  readonly #indexes = new Indexes<Item>()
  #order = 0
  #sweepAt = 1024
  /** No lease ends before. */
  #leaseEndsAt = Number.POSITIVE_INFINITY
  /** The entries that bounds count. */
  #count = 0
  #bytes = 0

  put(entry: EncodedEntry, now: number, writer: string | undefined): Item {
    const item: Item = {
      entry,
      order: ++this.#order,
      writtenAt: now,
      expiresAt: now + entry.leaseMs,
      deaths: 0,
      claim: '',
      started: false,
      answering: false,
      requester: undefined,
      writer,
      taker: undefined,
      readers: new Set(),
    }
    if (this.#items.size >= this.#sweepAt) this.#sweep()
    this.restore(item)
    return item
  }

  /** Returns the entry, unless its lease has ended. */
  get(id: string): Item | undefined {
    const item = this.#items.get(id)
    return item && this.#alive(item) ? item : undefined
  }

  /** Returns all entries, held ones included. */
  entries(): Item[] {
    return [...this.#items.values()].filter((item) => this.#alive(item))
  }

  remove(id: string): void {
    const item = this.#items.get(id)
    if (!item) return
    this.#items.delete(id)
    this.#indexes.delete(item)
    if (!isBounded(item.entry)) return
    this.#count--
    this.#bytes -= item.entry.body.length
  }

  /** Adds an entry that was removed or held, in its old position. */
  restore(item: Item): void {
    this.remove(item.entry.id)
    this.#items.set(item.entry.id, item)
    this.#indexes.add(item)
    this.setLease(item, item.expiresAt)
    if (!isBounded(item.entry)) return
    this.#count++
    this.#bytes += item.entry.body.length
  }

  /** Gives an entry to the holder of a claim: no search finds it until it is restored. */
  hold(item: Item, claim: string): void {
    item.claim = claim
    this.#indexes.delete(item)
  }

  /** Replaces an entry by one of the same id, in the same position, held by none. */
  replace(item: Item, entry: EncodedEntry): void {
    const nobodys = { claim: '', writer: undefined, taker: undefined, readers: new Set<string>() }
    this.restore({ ...item, ...nobodys, entry, expiresAt: wallMs() + entry.leaseMs })
  }

  setLease(item: Item, expiresAt: number): void {
    item.expiresAt = expiresAt
    if (expiresAt < this.#leaseEndsAt) this.#leaseEndsAt = expiresAt
  }

  requestsOf(presence: string): Item[] {
    return [...this.#items.values()].filter(({ requester }) => requester?.presence === presence)
  }

  /**
   * Yields the accepted matches, best first, from behind a position on. An entry that is removed meanwhile may still be
   * yielded.
   */
  *matching(
    template: EncodedTemplate,
    accept: (item: Item) => boolean,
    after: string | null = null,
  ): Generator<Item, void> {
    for (const item of this.#indexes.candidates(template, after)) {
      if (this.#alive(item) && accept(item) && matches(template, item.entry)) yield item
    }
  }

  /** Returns the accepted matches, best first. */
  all(template: EncodedTemplate, accept: (item: Item) => boolean): Item[] {
    return [...this.matching(template, accept)]
  }

  /** Returns the first accepted match: that of highest priority, the oldest of these. */
  best(template: EncodedTemplate, accept: (item: Item) => boolean): Item | undefined {
    for (const item of this.matching(template, accept)) return item
    return undefined
  }

  plan(template: EncodedTemplate): SearchPlan {
    return this.#indexes.plan(template)
  }

  /** Returns the root kinds of all entries, each with the number of its free entries. */
  roots(): Map<string, number> {
    const counts = new Map<string, number>()
    for (const item of this.#items.values()) {
      const root = item.entry.kinds[item.entry.kinds.length - 1]!
      if (this.#alive(item)) counts.set(root, (counts.get(root) ?? 0) + Number(takeable(item, undefined)))
    }
    return counts
  }

  #alive(item: Item): boolean {
    if (item.expiresAt > wallMs()) return true
    this.remove(item.entry.id)
    return false
  }

  /**
   * Returns whether these entries fit in after those in `going` are gone. A write that does not add to the current size
   * always fits: other processes may have written beyond these bounds.
   */
  hasRoom(
    entries: readonly EncodedEntry[],
    bounds: Bounds,
    going: readonly Item[],
    sessions: Size,
    more: Size,
  ): boolean {
    const gone = going.filter(({ entry }) => this.get(entry.id)).map(({ entry }) => entry)
    const grown = grownBy(
      entries.filter(({ leaseMs }) => leaseMs > 0),
      gone,
    )
    const fits = (): boolean =>
      isWithin(bounds.maxEntries, this.#count + sessions.count, grown.count + more.count) &&
      isWithin(bounds.maxBytes, this.#bytes + sessions.bytes, grown.bytes + more.bytes)
    if (fits() || this.#leaseEndsAt > wallMs()) return fits()
    this.#sweep()
    return fits()
  }

  /** Removes what a process has told of itself, and orders for it. */
  removeTold(presence: string): void {
    const told = { kind: CONTROL, root: CONTROL, indexed: [`process=s:${presence}`], verified: [] }
    for (const { entry } of this.all(told, () => true)) this.remove(entry.id)
  }

  /** The next sweep comes at twice the remaining size, so that each write pays for a bounded part of it. */
  #sweep(): void {
    this.#leaseEndsAt = Number.POSITIVE_INFINITY
    for (const item of this.#items.values()) if (this.#alive(item)) this.setLease(item, item.expiresAt)
    this.#sweepAt = Math.max(1024, this.#items.size * 2)
  }
}

/** Entries of the control are as many as processes. */
const isBounded = ({ kinds }: EncodedEntry): boolean => !kinds.includes(CONTROL)

/** Returns by how much a space grows when some entries come and others go. */
function grownBy(coming: readonly EncodedEntry[], going: readonly EncodedEntry[]): Size {
  const [more, less] = [coming.filter(isBounded), going.filter(isBounded)]
  return { count: more.length - less.length, bytes: storedBytes(more) - storedBytes(less) }
}

const storedBytes = (entries: readonly EncodedEntry[]): number =>
  entries.reduce((bytes, { body }) => bytes + body.length, 0)

/** Returns whether a size may grow, or shrink, under a bound. */
const isWithin = (bound: number | undefined, size: number, growth: number): boolean =>
  growth <= 0 || bound === undefined || size + growth <= bound

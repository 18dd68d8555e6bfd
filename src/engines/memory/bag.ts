/** The entries of a memory space, found by template, best first. */

import { wallMs } from '../../clock.js'
import type { Bounds } from '../../engine/bounds.js'
import { CONTROL, type EncodedEntry, type EncodedTemplate, type Outcome, type Stored } from '../../engine.js'
import { compareTokens } from '../../entry/order.js'
import { valueIn } from './condition.js'
import { matches } from './match.js'

/** The size of the sessions, which are stored elsewhere. */
export interface Size {
  readonly count: number
  readonly bytes: number
}

export interface ItemRequester {
  readonly presence: string
  onOutcome(outcome: Outcome): void
}

export interface Item {
  readonly entry: EncodedEntry
  /** Its position within its priority; kept when it is put back. */
  readonly order: number
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
  #order = 0
  #sweepAt = 1024

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
    this.#items.set(entry.id, item)
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
    this.#items.delete(id)
  }

  /** Adds a removed entry again. */
  restore(item: Item): void {
    this.#items.set(item.entry.id, item)
  }

  /** Replaces an entry by one of the same id, in the same position, held by none. */
  replace(item: Item, entry: EncodedEntry): void {
    const nobodys = { claim: '', writer: undefined, taker: undefined, readers: new Set<string>() }
    this.#items.set(entry.id, { ...item, ...nobodys, entry, expiresAt: wallMs() + entry.leaseMs })
  }

  requestsOf(presence: string): Item[] {
    return [...this.#items.values()].filter(({ requester }) => requester?.presence === presence)
  }

  /** Returns the accepted matches, best first. */
  all(template: EncodedTemplate, accept: (item: Item) => boolean): Item[] {
    return [...this.#matching(template, accept)].sort((a, b) => (isBetter(template, a, b) ? -1 : 1))
  }

  /** Returns the accepted match of highest priority, the oldest of these. */
  best(template: EncodedTemplate, accept: (item: Item) => boolean): Item | undefined {
    let best: Item | undefined
    for (const item of this.#matching(template, accept)) if (!best || isBetter(template, item, best)) best = item
    return best
  }

  /** Returns the root kinds, each with the number of its free entries. */
  roots(): Map<string, number> {
    const counts = new Map<string, number>()
    for (const item of this.#items.values()) {
      const root = item.entry.kinds[item.entry.kinds.length - 1]!
      if (this.#alive(item) && takeable(item, undefined)) counts.set(root, (counts.get(root) ?? 0) + 1)
    }
    return counts
  }

  *#matching(template: EncodedTemplate, accept: (item: Item) => boolean): Iterable<Item> {
    for (const item of this.#items.values()) {
      if (accept(item) && matches(template, item.entry) && this.#alive(item)) yield item
    }
  }

  #alive(item: Item): boolean {
    if (item.expiresAt > wallMs()) return true
    this.#items.delete(item.entry.id)
    return false
  }

  /**
   * Returns whether these entries fit in after the others have gone. A write that does not add to the current size
   * always fits: other processes may have written beyond these bounds. Goes through all entries; called only with
   * bounds.
   */
  hasRoom(
    entries: readonly EncodedEntry[],
    bounds: Bounds,
    goes: (item: Item) => boolean,
    sessions: Size,
    more: Size,
  ): boolean {
    const { maxEntries = Number.POSITIVE_INFINITY, maxBytes = Number.POSITIVE_INFINITY } = bounds
    const items = this.entries().filter(({ entry }) => isBounded(entry))
    const before = items.map(({ entry }) => entry)
    const stays = items.filter((item) => !goes(item)).map(({ entry }) => entry)
    const after = [...stays, ...entries.filter((entry) => entry.leaseMs > 0 && isBounded(entry))]
    const [count, bytes] = [before.length + sessions.count, storedBytes(before) + sessions.bytes]
    return (
      after.length + sessions.count + more.count <= Math.max(maxEntries, count) &&
      storedBytes(after) + sessions.bytes + more.bytes <= Math.max(maxBytes, bytes)
    )
  }

  /** Removes what a process has told of itself, and orders for it. */
  removeTold(presence: string): void {
    const token = `process=s:${presence}`
    for (const { entry } of this.entries())
      if (entry.kinds.includes(CONTROL) && entry.indexed.includes(token)) this.remove(entry.id)
  }

  /** The next sweep comes at twice the remaining size, so that each write pays for a bounded part of it. */
  #sweep(): void {
    for (const item of this.#items.values()) this.#alive(item)
    this.#sweepAt = Math.max(1024, this.#items.size * 2)
  }
}

/** Entries of the control are as many as processes. */
const isBounded = ({ kinds }: EncodedEntry): boolean => !kinds.includes(CONTROL)

const storedBytes = (entries: readonly EncodedEntry[]): number =>
  entries.reduce((bytes, { body }) => bytes + body.length, 0)

/** Returns whether `a` comes before `b`. */
const before = (a: Item, b: Item): boolean =>
  a.entry.priority === b.entry.priority ? a.order < b.order : a.entry.priority > b.entry.priority

/** Returns whether `a` comes before `b` for a template: in the order of a field, if the template names one. */
function isBetter({ orderedBy }: EncodedTemplate, a: Item, b: Item): boolean {
  const order = orderedBy === undefined ? 0 : compareTokens(valueIn(a.entry, orderedBy), valueIn(b.entry, orderedBy))
  return order === 0 || order === undefined ? before(a, b) : order < 0
}

const PLACE_LENGTH = 21

/** Returns the position of a match as a sortable text, then its value if matches are in the order of a field. */
export const positionOf = ({ orderedBy }: EncodedTemplate, { entry, order }: Item): string =>
  `${String(1_000 - entry.priority).padStart(4, '0')} ${String(order).padStart(16, '0')}${orderedBy === undefined ? '' : valueIn(entry, orderedBy)}`

/** Returns whether a match comes behind the one that had this place. */
export function isBehind(template: EncodedTemplate, item: Item, place: string): boolean {
  const own = positionOf(template, item)
  const order = compareTokens(own.slice(PLACE_LENGTH), place.slice(PLACE_LENGTH))
  return order === 0 || order === undefined ? own.slice(0, PLACE_LENGTH) > place.slice(0, PLACE_LENGTH) : order > 0
}

/** Sorts by position, best first. */
export const inPlace = (items: Iterable<Item>): Item[] => [...items].sort((a, b) => (before(a, b) ? -1 : 1))

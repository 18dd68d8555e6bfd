/** Listings over partitions: pages with a share of each, sums of backlogs and kinds. */
import type { Backlog, EncodedTemplate, Engine, Listed, Page, SearchPlan } from '../../engine.js'
import { SpaceError } from '../../errors.js'
import { evenShare } from './even-share.js'
import type { Placement } from './placement.js'
import { otherPartition, type PartitionedTransaction, type PartitionedTransactions } from './transactions.js'

/** Where the listing goes on in each partition: null after its last page. */
type Cursors = (string | null)[]

export class PartitionedListings {
  readonly #members: readonly Engine[]
  readonly #placement: Placement
  readonly #transactions: PartitionedTransactions

  constructor(members: readonly Engine[], placement: Placement, transactions: PartitionedTransactions) {
    this.#members = members
    this.#placement = placement
    this.#transactions = transactions
  }

  /**
   * Each partition gives a share of a page, so the order of all holds within a page only. Under a transaction the
   * entries are locked, in its home alone unless it spans all.
   */
  async page(template: EncodedTemplate, after: string | null, most: number, id?: string): Promise<Page> {
    const tx = id === undefined ? undefined : this.#transactions.get(id)
    if (tx && !tx.spans) return this.#pageUnder(tx, template, after, most)
    const list = async (partition: number, from: string | null, share: number): Promise<Page> => {
      const own = tx && this.#transactions.in(tx, partition)
      const page = await this.#members[partition]!.list(template, from, share, own)
      if (tx && page.entries.length > 0) this.#transactions.settle(tx, partition)
      return page
    }
    const only = this.#placement.ofTemplate(template)
    if (only?.length === 1) return list(only[0]!, after, most)
    const [turn, before] = this.#read(after, only ?? this.#placement.all)
    const cursors = [...before]
    const open = this.#placement.first(cursors.flatMap((cursor, partition) => (cursor === null ? [] : [partition])))
    const first = Math.max(
      open.findIndex((partition) => partition >= turn),
      0,
    )
    const asked = [...open.slice(first), ...open.slice(0, first)].slice(0, most)
    await Promise.all(asked.map((partition) => this.#placement.arrived?.(partition)))
    const pages = await Promise.all(
      asked.map((partition, i) => list(partition, cursors[partition] || null, evenShare(most, asked.length, i))),
    )
    for (const [i, partition] of asked.entries()) cursors[partition] = pages[i]!.next
    const merged = inTurn(pages)
    const isOver = cursors.every((cursor) => cursor === null)
    const turnAfter = ((asked.at(-1) ?? 0) + 1) % cursors.length
    const next = isOver ? null : JSON.stringify([turnAfter, ...cursors])
    // The partitions that are read first had none.
    if (next !== null && merged.length === 0) return this.page(template, next, most, id)
    const cursorAt = (entry: number): string => {
      const places = [...before]
      for (const { page, number } of merged.slice(0, entry + 1)) places[asked[page]!] = pages[page]!.cursorAt(number)
      return JSON.stringify([turnAfter, ...places])
    }
    return { entries: merged.map(({ page, number }) => pages[page]!.entries[number]!), next, cursorAt }
  }

  async count(template: EncodedTemplate): Promise<number> {
    const all = await this.#each(template, (member) => member.count(template))
    return all.reduce((sum, count) => sum + count, 0)
  }

  async plan(template: EncodedTemplate): Promise<SearchPlan> {
    return sumOfPlans(await this.#each(template, (member) => member.plan(template)))
  }

  async backlog(template: EncodedTemplate): Promise<Backlog> {
    return sumOfBacklogs(await this.#each(template, (member) => member.backlog(template)))
  }

  async offered(template: EncodedTemplate): Promise<readonly string[] | null> {
    const all = await Promise.all(this.#placement.all.map((partition) => this.#members[partition]!.offered(template)))
    const tokens = new Set<string>()
    for (const own of all) {
      if (own === null) return null
      for (const token of own) tokens.add(token)
    }
    return [...tokens]
  }

  async kinds(): Promise<ReadonlyMap<string, number>> {
    return sumOfKinds(await Promise.all(this.#placement.all.map((partition) => this.#members[partition]!.kinds())))
  }

  /** Asks each partition that may have matches. */
  #each<T>(template: EncodedTemplate, ask: (member: Engine) => Promise<T>): Promise<T[]> {
    return Promise.all(this.#placement.among(template).map((partition) => ask(this.#members[partition]!)))
  }

  /** A transaction without a home gets the first partition with a match. */
  async #pageUnder(
    tx: PartitionedTransaction,
    template: EncodedTemplate,
    after: string | null,
    most: number,
  ): Promise<Page> {
    const only = this.#placement.ofTemplate(template)
    if (only && tx.home !== undefined && !only.includes(tx.home))
      throw otherPartition('The transaction', tx.home, 'the template', only[0]!)
    const among = tx.home !== undefined ? [tx.home] : this.#placement.among(template)
    for (const partition of among) {
      await this.#placement.arrived?.(partition)
      const page = await this.#members[partition]!.list(template, after, most, this.#transactions.in(tx, partition))
      if (page.entries.length === 0 && page.next === null) continue
      if (this.#transactions.settle(tx, partition)) return page
      await this.#transactions.undo(tx, partition)
      return this.#pageUnder(tx, template, after, most)
    }
    return { entries: [], next: null, cursorAt: () => '' }
  }

  /** Returns the partition whose turn it is, and where each goes on. */
  #read(after: string | null, among: readonly number[]): [turn: number, cursors: Cursors] {
    if (after === null) return [0, this.#members.map((_, partition) => (among.includes(partition) ? '' : null))]
    const [turn, ...cursors] = listIn(after)
    const isCursor = (cursor: unknown): cursor is string | null => cursor === null || typeof cursor === 'string'
    if (cursors.length === this.#members.length && cursors.every(isCursor)) return [Number(turn), cursors]
    throw new SpaceError('INVALID_ARGUMENT', 'The cursor of the listing is of a space with other partitions.')
  }
}

/** Returns the list of a JSON text; [] if the text is none. */
function listIn(text: string): unknown[] {
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) ? value : []
  } catch {
    return []
  }
}

/** An entry of one of several pages: the number of the page, and that of the entry in the page. */
interface PageEntry {
  readonly page: number
  readonly number: number
}

/** Returns the entries of all pages, best first; those of one page keep their order. */
function inTurn(pages: readonly Page[]): PageEntry[] {
  const merged: PageEntry[] = []
  const read = pages.map(() => 0)
  const headOf = (page: number): Listed | undefined => pages[page]!.entries[read[page]!]
  for (let best: number | undefined; ; best = undefined) {
    for (const page of pages.keys()) {
      const head = headOf(page)
      if (head && (best === undefined || inOrder(head, headOf(best)!) < 0)) best = page
    }
    if (best === undefined) return merged
    merged.push({ page: best, number: read[best]! })
    read[best]!++
  }
}

/** Returns the backlog of all parts of a space. */
export const sumOfBacklogs = (parts: readonly Backlog[]): Backlog => ({
  count: parts.reduce((sum, { count }) => sum + count, 0),
  oldestMs: Math.max(...parts.map(({ oldestMs }) => oldestMs)),
})

/** Each partition chooses an index; that of the one with most candidates is named. */
export function sumOfPlans(all: readonly SearchPlan[]): SearchPlan {
  const [most] = all.toSorted((a, b) => b.candidates - a.candidates) as [SearchPlan]
  return { index: most.index, candidates: all.reduce((sum, { candidates }) => sum + candidates, 0) }
}

/** Returns the counts of all parts of a space, added up by kind. */
export function sumOfKinds(parts: readonly ReadonlyMap<string, number>[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const own of parts) for (const [kind, count] of own) counts.set(kind, (counts.get(kind) ?? 0) + count)
  return counts
}

/** Higher priority first, then oldest first. */
const inOrder = (a: Listed, b: Listed): number => b.priority - a.priority || a.writtenAt - b.writtenAt

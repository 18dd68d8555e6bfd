/**
 * Indexes of a memory space: for each kind its entries in order, by the value of each field that templates have named,
 * and in the order of each field by which templates have asked for it. A search looks at the smallest of these lists
 * that has all of its matches.
 */
import {
  ANY_KIND,
  type EncodedCondition,
  type EncodedEntry,
  type EncodedTemplate,
  OWN_KINDS,
  type SearchPlan,
} from '../../engine.js'
import { holds, isBelow } from '../../entry/holds.js'
import {
  comparePlaces,
  compareValued,
  isBehind,
  type PlacedEntry,
  sortedByPlace,
  sortedByValue,
  type Valued,
  valuedBy,
} from './place.js'
import type { Sorted } from './sorted.js'

/** Entries that are looked at one by one rather than by an index, at most. */
const FEW = 32
/** Fields of a kind that are indexed; templates of strangers may name any. */
const MOST_FIELDS = 100

export class Indexes<T extends PlacedEntry> {
  readonly #kinds = new Map<string, KindIndex<T>>()
  /** All entries that AnyEntry matches; made when a template first asks for it. */
  #any: KindIndex<T> | undefined

  add(item: T): void {
    for (const kind of item.entry.kinds) {
      let index = this.#kinds.get(kind)
      if (!index) {
        index = new KindIndex()
        this.#kinds.set(kind, index)
      }
      index.add(item)
    }
    if (this.#any && isAny(item.entry)) this.#any.add(item)
  }

  delete(item: T): void {
    for (const kind of item.entry.kinds) if (this.#kinds.get(kind)?.delete(item) === 0) this.#kinds.delete(kind)
    if (this.#any?.delete(item) === 0) this.#any = undefined
  }

  /** Yields entries in the order of a template, among them all its matches, from behind a position on. */
  *candidates(template: EncodedTemplate, after: string | null): Generator<T, void> {
    const index = template.kind === ANY_KIND ? this.#ofAny() : this.#kinds.get(template.kind)
    if (index) yield* index.candidates(template, after)
  }

  plan(template: EncodedTemplate): SearchPlan {
    return this.#kinds.get(template.kind)?.plan(template) ?? { index: [], candidates: 0 }
  }

  #ofAny(): KindIndex<T> {
    if (this.#any) return this.#any
    this.#any = new KindIndex()
    for (const [kind, index] of this.#kinds) {
      for (const item of index.items()) if (item.entry.kinds.at(-1) === kind && isAny(item.entry)) this.#any.add(item)
    }
    return this.#any
  }
}

/** Lists that together have all matches of a template. `field`: they are of its values. */
interface Choice<T> {
  readonly field: string | undefined
  readonly lists: readonly Sorted<T>[]
}

class KindIndex<T extends PlacedEntry> {
  readonly #all = sortedByPlace<T>()
  /** By field, then by `field=token`. */
  readonly #byToken = new Map<string, Map<string, Sorted<T>>>()
  /** By field, then by the type of the value. */
  readonly #inOrder = new Map<string, Map<string, Sorted<Valued<T>>>>()

  items(): Generator<T, void> {
    return this.#all.from(() => true)
  }

  add(item: T): void {
    this.#all.add(item)
    for (const token of this.#byToken.size > 0 ? allTokensOf(item.entry) : []) {
      const lists = this.#byToken.get(fieldIn(token))
      if (lists) listOf(lists, token, sortedByPlace<T>).add(item)
    }
    for (const [field, lists] of this.#inOrder) {
      const valued = valuedBy(field, item)
      if (valued) listOf(lists, typeOf(valued.value), sortedByValue<T>).add(valued)
    }
  }

  /** Returns how many entries are left. */
  delete(item: T): number {
    if (!this.#all.delete(item)) return this.#all.size
    for (const token of this.#byToken.size > 0 ? allTokensOf(item.entry) : []) {
      const lists = this.#byToken.get(fieldIn(token))
      const list = lists?.get(token)
      list?.delete(item)
      if (list?.size === 0) lists!.delete(token)
    }
    for (const [field, lists] of this.#inOrder) {
      const valued = valuedBy(field, item)
      if (valued) lists.get(typeOf(valued.value))?.delete(valued)
    }
    return this.#all.size
  }

  *candidates(template: EncodedTemplate, after: string | null): Generator<T, void> {
    const { orderedBy } = template
    const { lists } = this.#smallest(template)
    const order = this.#orderFor(template, lists)
    if (order) return yield* rangeIn(order, template, after)
    if (orderedBy === undefined) return yield* merged(lists, (item) => isBehind(template, item, after))
    const valued = [...merged(lists, () => true)].flatMap((item) => valuedBy(orderedBy, item) ?? [])
    for (const { item } of valued.sort(compareValued)) if (isBehind(template, item, after)) yield item
  }

  plan(template: EncodedTemplate): SearchPlan {
    const { field, lists } = this.#smallest(template)
    const named = this.#orderFor(template, lists) ? template.orderedBy : field
    return { index: named === undefined ? [] : [named], candidates: [...this.candidates(template, null)].length }
  }

  /** Returns the choice with the fewest entries. */
  #smallest(template: EncodedTemplate): Choice<T> {
    let smallest: Choice<T> = { field: undefined, lists: [this.#all] }
    let size = this.#all.size
    for (const tokens of alternativesIn(template)) {
      if (size <= FEW) break
      const field = fieldIn(tokens[0]!)
      const index = this.#indexBy(field)
      if (!index) continue
      const lists = tokens.flatMap((token) => index.get(token) ?? [])
      const held = sizeOf(lists)
      if (held < size) [smallest, size] = [{ field, lists }, held]
    }
    return smallest
  }

  /** Returns the index by a field, which is made when it is first asked for; undefined if there are too many. */
  #indexBy(field: string): Map<string, Sorted<T>> | undefined {
    let index = this.#byToken.get(field)
    if (index || this.#byToken.size >= MOST_FIELDS) return index
    index = new Map()
    for (const item of this.items()) {
      const token = allTokensOf(item.entry).find((each) => fieldIn(each) === field)
      if (token !== undefined) listOf(index, token, sortedByPlace<T>).add(item)
    }
    this.#byToken.set(field, index)
    return index
  }

  /** Returns the entries in the order of a template; undefined if there is none, or so few that they are sorted. */
  #orderFor(template: EncodedTemplate, lists: readonly Sorted<T>[]): Sorted<Valued<T>> | undefined {
    const { orderedBy } = template
    if (orderedBy === undefined || sizeOf(lists) <= FEW) return undefined
    const order = this.#orderBy(orderedBy)
    return order && listOf(order, typeOf(comparisonIn(template).operands[0]!), sortedByValue<T>)
  }

  #orderBy(field: string): Map<string, Sorted<Valued<T>>> | undefined {
    let order = this.#inOrder.get(field)
    if (order || this.#inOrder.size >= MOST_FIELDS) return order
    order = new Map()
    for (const item of this.items()) {
      const valued = valuedBy(field, item)
      if (valued) listOf(order, typeOf(valued.value), sortedByValue<T>).add(valued)
    }
    this.#inOrder.set(field, order)
    return order
  }
}

/** Returns the list under a name; a new one if there is none. */
function listOf<L>(lists: Map<string, L>, name: string, made: () => L): L {
  let list = lists.get(name)
  if (!list) {
    list = made()
    lists.set(name, list)
  }
  return list
}

const typeOf = (value: string): string => value[0]!

/** Returns the comparison by which matches come in order. */
const comparisonIn = ({ conditions = [], orderedBy }: EncodedTemplate): EncodedCondition =>
  conditions.find(({ field }) => field === orderedBy)!

const sizeOf = (lists: readonly { readonly size: number }[]): number => lists.reduce((sum, { size }) => sum + size, 0)

/** Yields the items of several lists in one order, from the first one in each for which `isIn` returns true. */
function* merged<T extends PlacedEntry>(lists: readonly Sorted<T>[], isIn: (item: T) => boolean): Generator<T, void> {
  if (lists.length === 1) return yield* lists[0]!.from(isIn)
  const heads = lists.map((list) => list.from(isIn))
  const next = heads.map(nextOf)
  for (;;) {
    let first: { readonly item: T; readonly at: number } | undefined
    for (const [at, item] of next.entries()) {
      if (item && (!first || comparePlaces(item, first.item) < 0)) first = { item, at }
    }
    if (!first) return
    yield first.item
    next[first.at] = nextOf(heads[first.at]!)
  }
}

const nextOf = <T>(head: Generator<T, void>): T | undefined => head.next().value as T | undefined

/** Yields the entries whose values keep the comparison by which a template is in order. */
function* rangeIn<T extends PlacedEntry>(
  order: Sorted<Valued<T>>,
  template: EncodedTemplate,
  after: string | null,
): Generator<T, void> {
  const asked = comparisonIn(template)
  const isIn = ({ value, item }: Valued<T>): boolean => !isBelow(asked, value) && isBehind(template, item, after)
  for (const { item } of order.from(isIn)) {
    // The values for which a comparison holds are next to each other.
    if (!holds(asked, item.entry)) return
    yield item
  }
}

const isAny = ({ kinds }: EncodedEntry): boolean => !kinds[0]!.startsWith(OWN_KINDS)

/** Returns the kinds whose templates may match an entry. */
export const kindsFor = (entry: EncodedEntry): readonly string[] =>
  isAny(entry) ? [...entry.kinds, ANY_KIND] : entry.kinds

/** Returns the tokens of an entry; marks that are no tokens are among them. */
export const allTokensOf = ({ indexed, verified }: EncodedEntry): string[] => [...indexed, ...verified]

/** Returns the field of a token. That of a mark is no field. */
const fieldIn = (token: string): string => token.slice(0, token.indexOf('='))

/** Yields lists of tokens of one field: a match has one of each list. */
export function* alternativesIn(template: EncodedTemplate): Generator<readonly string[]> {
  for (const token of template.indexed) yield [token]
  for (const token of template.verified) yield [token]
  for (const { field, operator, isNegated, operands } of template.conditions ?? []) {
    if (operator === 'oneOf' && !isNegated) yield operands.map((operand) => `${field}=${operand}`)
  }
  if (template.anyOf && template.anyOf.length > 0) yield template.anyOf
}

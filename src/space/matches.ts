/** Matches of several templates, page by page, without taking them: an entry that matches two of them comes once. */
import { ANY_KIND, type EncodedTemplate, type Engine, type Listed, OWN_KINDS, type Page } from '../engine.js'
import { isMatch } from '../entry/matching.js'
import type { Template } from '../entry/template.js'
import { BEGINNING, type Position } from './cursor.js'
import type { Transaction } from './transaction.js'

export interface Found {
  readonly stored: Listed
  /** The first template that it matches. */
  readonly template: Template<object>
  /** Returns where a search goes on behind it; null if nothing is left. */
  position(): Position | null
}

export interface MatchesTerms {
  /** Maximum number of matches. */
  readonly max: number
  /** The transaction under which they are read: they are locked page by page. */
  readonly tx?: Transaction | undefined
  readonly from: Position
}

/** Entries per call. */
const PAGE = 100

/**
 * Yields the matches by template, each in the order in which it would be taken. An entry keeps its position while it
 * exists, so none comes twice; one that is written before the current position does not come.
 */
export async function* matchesOf(
  engine: Engine,
  templates: readonly Template<object>[],
  { max, tx, from }: MatchesTerms,
): AsyncGenerator<Found> {
  const seen = engine.isMoving ? new Set<string>() : undefined
  let left = max
  for (let number = from.template; number < templates.length; number++) {
    const template = templates[number]!
    const earlier = templates.slice(0, number)
    const isOfEarlier = (stored: Listed): boolean => earlier.some(({ encoded }) => isMatch(encoded, stored))
    const isNew = ({ id }: Listed): boolean => !seen || (!seen.has(id) && seen.add(id) !== undefined)
    // Entries that an earlier template has yielded must not make the pages small; under a transaction it is locked already.
    const sizeOf = (): number => (earlier.length === 0 || tx ? Math.min(left, PAGE) : PAGE)
    const searches = await searchesOf(engine, template.encoded, number === from.template ? from : BEGINNING, tx)
    for (const [turn, search] of searches.entries()) {
      const isLastSearch = number === templates.length - 1 && turn === searches.length - 1
      for await (const page of pagesOf(engine, search, sizeOf, tx)) {
        for (const [n, stored] of page.entries.entries()) {
          if (isOfEarlier(stored) || !isNew(stored)) continue
          const isLast = isLastSearch && page.next === null && n === page.entries.length - 1
          const position = () => ({ template: number, kind: search.kind, after: page.cursorAt(n) })
          yield { stored, template, position: () => (isLast ? null : position()) }
          left--
          if (left <= 0) return
        }
      }
    }
  }
}

/** A search under one root: AnyEntry has one for each root kind, since each has its own order. */
interface Search {
  readonly template: EncodedTemplate
  /** The root kind, if it is one of AnyEntry. */
  readonly kind: string | null
  readonly after: string | null
}

async function searchesOf(
  engine: Engine,
  template: EncodedTemplate,
  from: Position,
  tx: Transaction | undefined,
): Promise<Search[]> {
  if (template.kind !== ANY_KIND) return [{ template, kind: null, after: from.after }]
  const kinds = await (tx ? tx.find(undefined, () => engine.kinds()) : engine.kinds())
  return [...kinds.keys()]
    .filter((kind) => !kind.startsWith(OWN_KINDS) && (from.kind === null || kind >= from.kind))
    .sort()
    .map((kind) => ({
      template: { ...template, kind, root: kind },
      kind,
      after: kind === from.kind ? from.after : null,
    }))
}

async function* pagesOf(
  engine: Engine,
  { template, after }: Search,
  sizeOf: () => number,
  tx: Transaction | undefined,
): AsyncGenerator<Page> {
  for (let place = after; ; ) {
    const from = place
    const list = (): Promise<Page> => engine.list(template, from, sizeOf(), tx?.id)
    const page = await (tx ? tx.find(undefined, list) : list())
    yield page
    if (page.next === null) return
    place = page.next
  }
}

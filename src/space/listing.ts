/** Listings for tools: the kinds in a space, and the entries of one, without taking them. */
import type { EncodedTemplate, Engine, Listed } from '../engine.js'
import { kindNamed } from '../entry/token.js'

/** The part of a space that listings need. */
export interface Listable {
  readonly engine: Pick<Engine, 'kinds' | 'list'>
}

/** Entries per call; the engine serves others between two calls. */
const PAGE = 50

/** Returns the root kinds of a space, each with the number of its free entries. */
export async function freeEntries(space: Listable): Promise<Map<string, number>> {
  const kinds = await space.engine.kinds()
  return new Map(Array.from(kinds, ([name, free]) => [kindNamed(name), free]))
}

/** Yields the free entries that match, best first, at most `max`. */
export async function* listEntries(space: Listable, template: EncodedTemplate, max: number): AsyncGenerator<Listed> {
  let left = max
  for (let after: string | null = null; left > 0; ) {
    const { entries, next } = await space.engine.list(template, after, Math.min(left, PAGE))
    yield* entries
    left -= entries.length
    if (next === null) return
    after = next
  }
}

/** Ordered: a field of an index whose values are kept in order, for comparisons. */
import { SpaceError } from '../errors.js'

/** Made by `ordered`, for the `index` of a kind. */
export class Ordered<N extends string = string> {
  readonly field: N

  /** @internal Use ordered. */
  constructor(field: N) {
    this.field = field
  }
}

/**
 * Keeps the entries of a kind in the order of a field: numbers, dates, bigints and texts. A template with a comparison on
 * the field (`gt`, `gte`, `lt`, `lte`, `between`, `startsWith`) looks at entries within its range alone, and its matches
 * come in the order of the field, smallest first, then by priority and age. Works if every writer of the kind declares it.
 * @throws SpaceError INVALID_ARGUMENT if the name is no text
 * @example defineEntry<{ id: string; due: number }>('Job', { index: ['id', ordered('due')] })
 */
export function ordered<const N extends string>(field: N): Ordered<N> {
  if (typeof field !== 'string') throw new SpaceError('INVALID_ARGUMENT', 'ordered wants the name of a field.')
  return new Ordered(field)
}

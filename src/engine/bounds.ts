/** Bounds of a space, checked when this process writes into it. */
import { SpaceError } from '../errors.js'

export interface Bounds {
  /**
   * Maximum number of entries in the space, including held ones, those of open transactions, and dead letters. A write
   * beyond it is refused with SPACE_FULL. An integer of at least 1. Default: no bound.
   */
  readonly maxEntries?: number | undefined
  /**
   * Maximum bytes of all entries, as stored; on Redis the size of small bodies is estimated (docs/operations.md, A
   * bounded space). An integer of at least 1. Default: no bound.
   */
  readonly maxBytes?: number | undefined
}

/** @throws SpaceError INVALID_ARGUMENT */
export function checkedBounds({ maxEntries, maxBytes }: Bounds): Bounds {
  for (const [name, value] of Object.entries({ maxEntries, maxBytes })) {
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 1)) {
      throw new SpaceError('INVALID_ARGUMENT', `${name} must be an integer of at least 1.`)
    }
  }
  return { maxEntries, maxBytes }
}

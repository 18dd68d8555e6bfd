/** Bounds: how much may be in a space when this process writes into it. */
import { SpaceError } from '../errors.js'

export interface Bounds {
  /**
   * A write of this process is refused with SPACE_FULL if there would be more entries than this: all that are there, also those that
   * somebody holds, that transactions hide, and dead letters. An integer of at least 1. Default: no bound.
   */
  readonly maxEntries?: number | undefined
  /**
   * The same with the bytes of all entries, as they are stored. On Redis those of small bodies are estimated (docs/operations.md, A bounded
   * space). An integer of at least 1. Default: no bound.
   */
  readonly maxBytes?: number | undefined
}

/** @throws SpaceError INVALID_ARGUMENT */
export function checkedBounds({ maxEntries, maxBytes }: Bounds): Bounds {
  for (const [name, value] of Object.entries({ maxEntries, maxBytes })) {
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 1)) {
      throw new SpaceError('INVALID_ARGUMENT', `${name} is an integer of at least 1.`)
    }
  }
  return { maxEntries, maxBytes }
}

/** Checks of single option values. */
import { SpaceError } from '../src/errors.js'

/** Throws INVALID_ARGUMENT unless the value is an integer of this range. */
export function checkInteger(name: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw invalid(`${name} must be an integer from ${min} to ${max}, not ${String(value)}.`)
  }
}

/** Throws INVALID_ARGUMENT unless the value is a number of bytes, or Infinity. */
export function checkBytes(name: string, value: number): void {
  if (value !== Number.POSITIVE_INFINITY) checkInteger(name, value, 0, Number.MAX_SAFE_INTEGER)
}

export const invalid = (detail: string): SpaceError => new SpaceError('INVALID_ARGUMENT', detail)

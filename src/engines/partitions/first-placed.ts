/** What has a key, in the one partition that it may be in or, while a space moves, in the first of two that has it. */
import type { Placement } from './placement.js'

/**
 * Returns the first result that is one (neither null nor false), else the last. Things move from the first place to the
 * second alone, so nothing is missed between them.
 */
export function firstPlaced<T>(placement: Placement, key: string, ask: (partition: number) => Promise<T>): Promise<T> {
  const places = placement.placesOf(key)
  return places.length === 1 ? ask(places[0]!) : firstOf(placement, places, ask)
}

/** The same in these partitions, in this order. */
export async function firstOf<T>(
  placement: Placement,
  places: readonly number[],
  ask: (partition: number) => Promise<T>,
): Promise<T> {
  const [first, ...others] = places
  let found = await ask(first!)
  for (const partition of others) {
    if (found) break
    await placement.arrived?.(partition)
    found = await ask(partition)
  }
  return found
}

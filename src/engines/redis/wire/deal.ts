/**
 * Deals out the requests of one turn of the event loop over a few calls: while the server works on one call, this
 * process handles the reply to the one before (decision 0010).
 */

/** Returns the number of requests per call, if `waiting` requests are dealt out over `calls` calls. */
export const shareOf = (waiting: number, calls: number, smallest: number): number =>
  Math.max(Math.ceil(waiting / calls), smallest)

/**
 * Takes the first items out of `waiting`: at most `share`, and at most `mostSize` together; a larger item goes alone.
 */
export function takeShare<T>(waiting: T[], share: number, sizeOf: (item: T) => number, mostSize: number): T[] {
  let size = 0
  for (let i = 0; i < share && i < waiting.length; i++) {
    size += sizeOf(waiting[i]!)
    if (size > mostSize && i > 0) return waiting.splice(0, i)
  }
  return waiting.splice(0, share)
}

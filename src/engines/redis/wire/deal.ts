/**
 * Dealing out: what was asked in one turn of the event loop goes out in a few calls. While the server works on one, this process takes up
 * what the one before it has answered (decision 0010).
 */

/** Returns how many go out in one call, if what waits is dealt out over so many calls. */
export const shareOf = (waiting: number, calls: number, smallest: number): number =>
  Math.max(Math.ceil(waiting / calls), smallest)

/** Takes the first ones out of `waiting`: at most `share`, and of at most `mostSize` together. One that is larger goes alone. */
export function takeShare<T>(waiting: T[], share: number, sizeOf: (item: T) => number, mostSize: number): T[] {
  let size = 0
  for (let i = 0; i < share && i < waiting.length; i++) {
    size += sizeOf(waiting[i]!)
    if (size > mostSize && i > 0) return waiting.splice(0, i)
  }
  return waiting.splice(0, share)
}

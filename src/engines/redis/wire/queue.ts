/** Operations that wait to be sent, in order, and how many of them go out together. */
import { monotonicMs } from '../../../clock.js'
import { SpaceError } from '../../../errors.js'
import { shareOf, takeShare } from './deal.js'
import type { Operation } from './operation.js'

export interface Queued extends Operation {
  /** Since when it waits, on the monotonic clock. */
  since: number
}

/**
 * More in one call would hold the server for milliseconds, fewer would waste calls. What waits is dealt out over the calls that may be under
 * way: in one single batch all of it would move in convoy, each process idle while the next one works (at 64 round trips in flight 23,000
 * a second in one batch, 31,000 in two; shares below 32 cost more over HTTP than they gain).
 */
const LARGEST_BATCH = 128
const SMALLEST_SHARE = 32
/**
 * Most entries that one call writes, unless a single operation writes more: that is all or none. Eight writes of 1,000 entries held the server
 * for 180 ms in one call, for 27 ms at a time in eight.
 */
const MOST_WRITTEN = 256
const MOST_QUEUED = 20_000

export class Queue {
  readonly #operations: Queued[] = []
  /** How many have been put ahead of what was kept back; undefined while nothing is registered anew. */
  #ahead: number | undefined

  get length(): number {
    return this.#operations.length
  }

  get isFull(): boolean {
    return this.#operations.length >= MOST_QUEUED
  }

  add(operation: Queued): void {
    this.#operations.push(operation)
  }

  /** While `register` runs, addAhead() puts operations before all that waits: a completion gives its credit to an offer that is registered. */
  ahead(register: () => void): void {
    this.#ahead = 0
    register()
    this.#ahead = undefined
  }

  /** Returns false, and adds nothing, unless ahead() runs. */
  addAhead(operation: Queued): boolean {
    if (this.#ahead === undefined) return false
    this.#operations.splice(this.#ahead++, 0, operation)
    return true
  }

  /** Puts operations that are sent again before all others. */
  addFirst(operations: readonly Queued[]): void {
    this.#operations.unshift(...operations)
  }

  /** Returns how many operations a batch takes, if what waits now is dealt out over so many calls. */
  share(calls: number): number {
    return Math.min(shareOf(this.#operations.length, calls, SMALLEST_SHARE), LARGEST_BATCH)
  }

  /** Takes the operations of the next batch. */
  next(share: number): Queued[] {
    return takeShare(this.#operations, share, ({ entries = 1 }) => entries, MOST_WRITTEN)
  }

  /** Fails those that are not to be kept. */
  failUnless(isKept: (operation: Queued) => boolean, code: 'SPACE_UNREACHABLE' | 'SPACE_CLOSED'): void {
    for (const operation of this.#operations.splice(0)) {
      if (isKept(operation)) this.#operations.push(operation)
      else operation.fail(new SpaceError(code))
    }
  }
}

/** Returns the operation with the time from which it waits. The same object: one more per operation would cost the hot path. */
export function queued(operation: Operation): Queued {
  const waiting = operation as Queued
  waiting.since = operation.began ?? monotonicMs()
  return waiting
}

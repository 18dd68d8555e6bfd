/** Operations that wait to be sent, in order, and the number of them that go out together. */
import { monotonicMs } from '../../../clock.js'
import type { SpaceError } from '../../../errors.js'
import { shareOf, takeShare } from './deal.js'
import type { Operation } from './operation.js'

export interface Queued extends Operation {
  /** When the wait began, on the monotonic clock. */
  since: number
}

/**
 * More in one call would hold the server for milliseconds, fewer would waste calls. Waiting operations are dealt out
 * over the calls that may be under way. In a single batch all of them would move in convoy, each process idle while
 * the next one works: at 64 round trips in flight 23,000 a second in one batch, 31,000 in two. Shares below 32 cost
 * more over HTTP than they gain.
 */
const LARGEST_BATCH = 128
const SMALLEST_SHARE = 32
/**
 * Most entries that one call writes, unless a single operation, which is all or none, writes more. Eight writes of
 * 1,000 entries held the server for 180 ms in one call, for 27 ms at a time in eight.
 */
const MOST_WRITTEN = 256
const MOST_QUEUED = 20_000

export class Queue {
  readonly #operations: Queued[] = []
  /** How many operations ahead() has put in front; undefined unless ahead() runs. */
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

  /**
   * While `register` runs, addAhead() puts operations before all others: a completion can give its credit only to a
   * registered offer.
   */
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

  /** Puts operations that are sent again before all others, but behind the first `behind`. */
  addFirst(operations: readonly Queued[], behind = 0): void {
    this.#operations.splice(behind, 0, ...operations)
  }

  /** Returns the number of operations per batch, if those that wait now are dealt out over `calls` calls. */
  share(calls: number): number {
    return Math.min(shareOf(this.#operations.length, calls, SMALLEST_SHARE), LARGEST_BATCH)
  }

  /** Takes the operations of the next batch. */
  next(share: number): Queued[] {
    return takeShare(this.#operations, share, ({ entries = 1 }) => entries, MOST_WRITTEN)
  }

  /** Fails the operations that `isKept` does not accept. */
  failUnless(isKept: (operation: Queued) => boolean, errorOf: () => SpaceError): void {
    for (const operation of this.#operations.splice(0)) {
      if (isKept(operation)) this.#operations.push(operation)
      else operation.fail(errorOf())
    }
  }
}

/**
 * Returns the operation with the start of its wait. The same object: a second object per operation would slow the hot
 * path.
 */
export function queued(operation: Operation): Queued {
  const waiting = operation as Queued
  waiting.since = operation.began ?? monotonicMs()
  return waiting
}

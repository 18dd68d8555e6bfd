/** Batches that have been sent and not answered, in the order of their numbers. */
import { SpaceError } from '../../../errors.js'
import type { Queued } from './queue.js'

export interface Batch {
  readonly number: number
  readonly operations: readonly Queued[]
  /** When it was last sent, on the monotonic clock. */
  sentAt: number
  /** How often it was sent: one that was refused on the first sending has surely not run. */
  sent: number
}

export class Ledger {
  /** A few at most. (Not a Map: see src/runtime/in-flight.ts.) */
  readonly #batches: Batch[] = []
  #number = 0

  get length(): number {
    return this.#batches.length
  }

  get oldest(): Batch | undefined {
    return this.#batches[0]
  }

  /** How many operations have been sent and not answered. */
  get operations(): number {
    return this.#batches.reduce((sum, { operations }) => sum + operations.length, 0)
  }

  add(operations: readonly Queued[]): Batch {
    const batch = { number: ++this.#number, operations, sentAt: 0, sent: 0 }
    this.#batches.push(batch)
    return batch
  }

  /** Notes that a batch is answered or given up. Returns false if it was before. */
  drop(batch: Batch): boolean {
    const at = this.#batches.indexOf(batch)
    if (at >= 0) this.#batches.splice(at, 1)
    return at >= 0
  }

  all(): Batch[] {
    return [...this.#batches]
  }

  /** Gives up every batch that is not to be kept, and fails its operations. */
  failUnless(isKept: (batch: Batch) => boolean, errorOf: (operation: Queued) => SpaceError): void {
    for (const batch of this.all()) {
      if (isKept(batch)) continue
      this.drop(batch)
      for (const operation of batch.operations) operation.fail(errorOf(operation))
    }
  }
}

/** Of an operation that was sent: whether it ran is known only if it could run again. */
export const unansweredError = ({ repeatable }: Queued): SpaceError =>
  new SpaceError(repeatable ? 'SPACE_UNREACHABLE' : 'OUTCOME_UNKNOWN')

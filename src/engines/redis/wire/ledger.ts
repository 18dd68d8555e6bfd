/** Batches that have been sent and not answered, in the order of their numbers. */
import { SpaceError } from '../../../errors.js'
import type { Queued } from './queue.js'

export interface Batch {
  readonly number: number
  operations: readonly Queued[]
  /** When the batch was last sent, on the monotonic clock. */
  sentAt: number
  /** How often the batch was sent without a reply: if it is refused on the first sending, it has surely not run. */
  sent: number
  /** One of MODE: how the batch was last sent. */
  mode: string
}

export class Ledger {
  /** At most a few batches, in an array: src/runtime/in-flight.ts says why not in a Map. */
  readonly #batches: Batch[] = []
  #number = 0

  get length(): number {
    return this.#batches.length
  }

  /** How many batches were ever added. */
  get added(): number {
    return this.#number
  }

  get oldest(): Batch | undefined {
    return this.#batches[0]
  }

  /** How many operations have been sent and not answered. */
  get operations(): number {
    return this.#batches.reduce((sum, { operations }) => sum + operations.length, 0)
  }

  add(operations: readonly Queued[]): Batch {
    const batch = { number: ++this.#number, operations, sentAt: 0, sent: 0, mode: '' }
    this.#batches.push(batch)
    return batch
  }

  /** Notes that a batch is answered or given up. Returns false if that was noted before. */
  drop(batch: Batch): boolean {
    const at = this.#batches.indexOf(batch)
    if (at >= 0) this.#batches.splice(at, 1)
    return at >= 0
  }

  all(): Batch[] {
    return [...this.#batches]
  }

  /** Drops every batch that `isKept` does not accept, and fails its operations. */
  failUnless(isKept: (batch: Batch) => boolean, errorOf: (operation: Queued, batch: Batch) => SpaceError): void {
    for (const batch of this.all()) {
      if (isKept(batch)) continue
      this.drop(batch)
      for (const operation of batch.operations) operation.fail(errorOf(operation, batch))
    }
  }
}

/**
 * Returns SPACE_UNREACHABLE if an operation is repeatable, or its batch has surely not run; else OUTCOME_UNKNOWN.
 */
export const unansweredError = ({ repeatable }: Queued, { sent }: Batch): SpaceError =>
  new SpaceError(repeatable || sent === 0 ? 'SPACE_UNREACHABLE' : 'OUTCOME_UNKNOWN')

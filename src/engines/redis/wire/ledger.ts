/** Batches that have been sent and not answered, in the order of their numbers. */
import type { SpaceError } from '../../../errors.js'
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
  /** The reply has come, and is held back until the level is reached (level.ts). */
  held: boolean
}

export class Ledger {
  /** At most a few batches, in an array: src/runtime/in-flight.ts says why not in a Map. */
  readonly #batches: Batch[] = []
  #number = 0

  get length(): number {
    return this.#batches.length
  }

  /** How many have no reply. */
  get underWay(): number {
    let count = 0
    for (const { held } of this.#batches) if (!held) count++
    return count
  }

  /** How many batches were ever added. */
  get added(): number {
    return this.#number
  }

  get isEmpty(): boolean {
    return this.#batches.length === 0
  }

  /** The oldest without a reply. */
  get oldest(): Batch | undefined {
    for (const batch of this.#batches) if (!batch.held) return batch
    return undefined
  }

  /** How many operations have been sent and not answered. */
  get operations(): number {
    return this.#batches.reduce((sum, { operations }) => sum + operations.length, 0)
  }

  add(operations: readonly Queued[]): Batch {
    const batch = { number: ++this.#number, operations, sentAt: 0, sent: 0, mode: '', held: false }
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

/** Returns whether it matters that the operation may have run. */
export const isUncertain = ({ repeatable }: Queued, { sent }: Batch): boolean => !repeatable && sent > 0

/**
 * The order of pushes. A library numbers its messages to a process, so a process notices that some were lost although
 * the link is up. A beat says the number of the last one, so the loss of the last is noticed, too.
 */
import type { PushHead } from './push.js'

export class PushOrder {
  /** The number of the last message, by library. Two releases have two libraries. */
  readonly #last = new Map<string, number>()

  /** Forgets all: a sync brings what was lost before it. */
  restart(): void {
    this.#last.clear()
  }

  /** Notes a message. Returns false if messages before it were lost. */
  follows({ library, number }: PushHead): boolean {
    const last = this.#last.get(library)
    if (last === undefined && this.#last.size >= MOST_LIBRARIES) this.#last.clear()
    this.#last.set(library, number)
    // A library that was loaded again begins at 1.
    return last === undefined || number <= last + 1
  }

  /**
   * Returns false if the library has sent more messages than have arrived. `sent`: how many before a call whose reply
   * is here; later ones may be here, too.
   */
  isComplete(library: string, sent: number): boolean {
    const last = this.#last.get(library)
    if (last !== undefined && sent <= last) return true
    this.#last.set(library, sent)
    return last === undefined
  }
}

/** Foreign messages may name any. */
const MOST_LIBRARIES = 16

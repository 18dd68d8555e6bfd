/** What two-phase commits have left unfinished in a memory space, and who is shown it. */
import type { Unfinished } from '../../engine/two-phase.js'

/** What is unfinished for so long is shown to a process, and again after the same time. */
const SHOWN_AFTER_MS = 1_000

export class UnfinishedCommits {
  /** By presence, the first one first. */
  readonly watchers = new Map<string, (unfinished: Unfinished) => void>()
  readonly #all = new Map<string, Unfinished>()

  add(unfinished: Unfinished): void {
    const name = nameOf(unfinished)
    this.#all.set(name, unfinished)
    this.#showLater(name)
  }

  has(unfinished: Unfinished): boolean {
    return this.#all.has(nameOf(unfinished))
  }

  remove(unfinished: Unfinished): void {
    this.#all.delete(nameOf(unfinished))
  }

  #showLater(name: string): void {
    setTimeout(() => {
      const unfinished = this.#all.get(name)
      if (!unfinished) return
      const [first] = this.watchers.values()
      first?.(unfinished)
      this.#showLater(name)
    }, SHOWN_AFTER_MS).unref()
  }
}

const nameOf = ({ tx, other, isDecided }: Unfinished): string => `${isDecided} ${tx} ${other.partition} ${other.tx}`

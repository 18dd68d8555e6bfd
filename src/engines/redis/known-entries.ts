/**
 * Known entries: by target of changes, the entry that it had last. If a target has the same entry again and again, as that
 * of a counter has, the next change begins with contents made of what is known, and is one call instead of two.
 */
import type { Stored } from '../../engine.js'

export interface KnownEntry {
  readonly stored: Stored
  readonly signature: string
  /** Its body has a key of its own. */
  readonly isByReference: boolean
}

/** Most targets that are remembered. */
const MOST = 1_000

interface Known extends KnownEntry {
  /** True if the target had the same entry twice in succession. */
  readonly isSteady: boolean
}

export class KnownEntries {
  /** The one that was met last comes last. */
  readonly #known = new Map<string, Known>()
  /** The last change of each target that has not ended. */
  readonly #turns = new Map<string, Promise<unknown>>()

  /** Runs a change once those of the same target that began before have ended. */
  inTurn<T>(target: string, change: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(target)
    const turn = before ? before.then(change, change) : change()
    this.#turns.set(target, turn)
    const end = (): void => {
      if (this.#turns.get(target) === turn) this.#turns.delete(target)
    }
    turn.then(end, end)
    return turn
  }

  /** Returns the entry that a target is likely to have. `isOne`: it can have no other. */
  expected(target: string, isOne: boolean): KnownEntry | undefined {
    const known = this.#known.get(target)
    return known && (isOne || known.isSteady) ? known : undefined
  }

  /** Notes the entry that a target was found to have. */
  met(target: string, entry: KnownEntry): void {
    this.#note(target, { ...entry, isSteady: this.#known.get(target)?.stored.id === entry.stored.id })
  }

  /** Notes the contents that this process has given the entry of a target. */
  changed(target: string, entry: KnownEntry): void {
    this.#note(target, { ...entry, isSteady: this.#known.get(target)?.isSteady ?? false })
  }

  /** Large entries are not kept. */
  #note(target: string, known: Known): void {
    this.#known.delete(target)
    if (known.isByReference) return
    this.#known.set(target, known)
    if (this.#known.size <= MOST) return
    const [oldest] = this.#known.keys()
    this.#known.delete(oldest!)
  }
}

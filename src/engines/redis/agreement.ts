/**
 * Agreement: whether the space knows what this process holds and waits for. A beat says what the space knows; if that
 * differs in two beats between which the process was quiet, something was lost or deleted, and a sync restores it.
 */

export class Agreement {
  /** Returns what this process knows, as the library says it (knownOf in wait.lua). */
  readonly #own: () => string
  #differed: string | undefined
  /** A difference that a sync has not removed: it is no reason for another one. */
  #cured: string | undefined

  constructor(own: () => string) {
    this.#own = own
  }

  /** Returns false if a sync is needed. `quiet`: nothing was under way since the beat was sent. */
  holds(known: string, quiet: boolean): boolean {
    const own = this.#own()
    if (!quiet || known === '' || known === own) {
      this.#differed = undefined
      if (known === own) this.#cured = undefined
      return true
    }
    const difference = `${known}, not ${own}`
    const isRepeated = this.#differed === difference
    this.#differed = difference
    if (!isRepeated || this.#cured === difference) return true
    this.#differed = undefined
    this.#cured = difference
    return false
  }
}

/**
 * Agreement: whether the space knows what this process holds and waits for. A beat says what the space knows; if that
 * differs in two beats between which the process was quiet, something was lost or deleted, and a sync restores it.
 */

export class Agreement {
  /** Returns what this process knows, as the library says it (knownOf in wait.lua). */
  readonly #own: () => string
  #before: string | undefined
  /** A difference that a sync has not removed: it is no reason for another one. */
  #synced: string | undefined

  constructor(own: () => string) {
    this.#own = own
  }

  /**
   * Returns the difference if a sync is needed. `known`: what the space knows; '' if that is too much to compare.
   * `quiet`: nothing was under way since the beat was sent.
   */
  difference(known: string, quiet: boolean): string | undefined {
    const own = this.#own()
    const difference = `the space knows ${known}, this process ${own} (claims, waits, credit)`
    if (!quiet || known === '' || known === own) {
      this.#before = undefined
      if (known === own) this.#synced = undefined
      return undefined
    }
    const isRepeated = this.#before === difference
    this.#before = isRepeated ? undefined : difference
    if (!isRepeated || this.#synced === difference) return undefined
    this.#synced = difference
    return difference
  }
}

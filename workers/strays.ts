/** Strays: handlers that still run although their turn has ended. Few ever do, so one may cost what no turn should. */

/** Stands for one of them without holding it. */
export type Stray = object

/**
 * With so many, a process is no good to the next request. More than it works on at a time, since not all that are counted do harm: an
 * Express handler that does nothing more when its client has gone holds a few objects until the next full garbage collection, and a
 * busy worker whose clients go away may have a hundred of those. What runs on for good gets there all the same, and at 64 it has cost
 * no more than memory: its slots are free, and whatever blocks the event loop is noticed as that.
 */
export const mostStrayed = (concurrency: number): number => Math.max(4 * concurrency, 64)

export class Strays {
  readonly #strays = new Set<Stray>()
  /**
   * A `(req, res)` app may end a request that nobody waits for without a word, by simply doing nothing more. Then nothing refers to it any
   * longer, and it is counted until the garbage collector has seen that.
   */
  readonly #dropped = new FinalizationRegistry<Stray>((stray) => this.#strays.delete(stray))

  get size(): number {
    return this.#strays.size
  }

  /** `turn` is what everything that its handler calls or awaits refers to. */
  add(turn: object): Stray {
    const stray = {}
    this.#strays.add(stray)
    this.#dropped.register(turn, stray, stray)
    return stray
  }

  remove(stray: Stray): void {
    this.#strays.delete(stray)
    this.#dropped.unregister(stray)
  }
}

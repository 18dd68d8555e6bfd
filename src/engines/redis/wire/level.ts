/**
 * The level `replicated:n`: what a server tells is held back until n replicas have all that it had written by then. One
 * question to the replicas is under way at a time, and its answer counts for all that was held back before it was
 * asked: a thousand writes in flight cost one WAIT (decision 0026). While the primary is being replaced, what its replicas
 * confirm counts for nothing: the one that is promoted may not have it.
 */
import type { Link } from './link.js'
import { reactionTo } from './reactions.js'

/**
 * Longer than this is too late: the caller learns that the outcome is unknown. After a failover the replicas need a
 * second or two to find the new primary.
 */
const LATE_MS = 3_000
/** The pause before the connection for questions is opened again. */
const RETRY_MS = 50

interface Held {
  reached(): void
  missed(): void
  lost?(): void
}

export class Level {
  #count = 0
  #link: Link | undefined
  #held: Held[] = []
  /** What the question under way is for. */
  #asked: Held[] = []
  #isAsking = false
  #isDistrusted = false
  #onTrusted: (() => void) | undefined

  /** 0: nothing is held back. */
  set replicas(count: number) {
    this.#count = count
  }

  get isNone(): boolean {
    return this.#count === 0
  }

  up(link: Link): void {
    this.#link = link
    this.#isAsking = false
  }

  /** Forgets what is held back: another link settles the batches, and has the space push again what it had pushed. */
  down(): void {
    this.#link = undefined
    this.#onTrusted?.()
    const lost = [...this.#asked, ...this.#held]
    this.#asked = []
    this.#held = []
    for (const each of lost) each.lost?.()
  }

  /** Tells whether the primary is being replaced (failover.ts). */
  distrust(isDistrusted: boolean): void {
    this.#isDistrusted = isDistrusted
    if (!isDistrusted) this.#onTrusted?.()
  }

  /**
   * Calls `reached` when the replicas have what the server has written so far, or `missed` if they do not have it in
   * time. If the link is lost meanwhile, calls neither, but `lost`. In the order of the calls.
   */
  after(reached: () => void, missed: () => void, lost?: () => void): void {
    if (this.#count === 0) return reached()
    if (!this.#link) return lost?.()
    this.#held.push({ reached, missed, ...(lost && { lost }) })
    if (!this.#isAsking) void this.#ask()
  }

  /** The same as a promise: false if the replicas do not have it in time, or the link is lost. */
  reached(): Promise<boolean> {
    return new Promise((resolve) => {
      const no = (): void => resolve(false)
      this.after(() => resolve(true), no, no)
    })
  }

  async #ask(): Promise<void> {
    this.#isAsking = true
    const link = this.#link as Link
    // What else this turn of the event loop brings is held back for the same question.
    await new Promise(setImmediate)
    while (this.#link === link && this.#held.length > 0) {
      this.#asked = this.#held
      this.#held = []
      let count = await this.#replicasOf(link)
      // News of a failover that have arrived by now are read first, also if this process was busy for long.
      await new Promise(setImmediate)
      if (this.#isDistrusted && !(await this.#trusted())) count = 0
      if (this.#link !== link) return
      const asked = this.#asked
      this.#asked = []
      for (const each of asked) {
        if (count >= this.#count) each.reached()
        else each.missed()
      }
    }
    if (this.#link === link) this.#isAsking = false
  }

  /** Returns how many replicas have it; 0 if the server cannot be asked in time. */
  async #replicasOf(link: Link): Promise<number> {
    for (let left = LATE_MS; left > 0; left -= RETRY_MS) {
      try {
        return await link.waitForReplicas(this.#count, LATE_MS)
      } catch (error) {
        const { message } = error as Error
        if (this.#link !== link) return 0
        if (/replica/.test(message) || reactionTo(error as Error)?.next === 'relink') link.cut(message)
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref())
      }
    }
    return 0
  }

  /** Returns false if the primary is still being replaced when it is too late. */
  #trusted(): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (isTrusted: boolean): void => {
        clearTimeout(late)
        this.#onTrusted = undefined
        resolve(isTrusted)
      }
      const late = setTimeout(() => end(false), LATE_MS).unref()
      this.#onTrusted = () => end(true)
    })
  }
}

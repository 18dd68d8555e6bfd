/** Eviction: whether the server has been told, while this process is connected, that it may throw entries away. */
import { monotonicMs } from '../../../clock.js'
import type { Link } from './connection.js'

/** Whoever asks more often is told what was seen last. */
const LOOK_MS = 2_000

export class Eviction {
  #link: Link | undefined
  #policy: string | undefined
  #lookedAt = 0

  /** A link comes up only where nothing is evicted (server.ts). */
  up(link: Link): void {
    this.#link = link
    this.#policy = undefined
    this.#lookedAt = monotonicMs()
  }

  down(): void {
    this.#link = undefined
  }

  /** The policy, if it is any but noeviction. */
  get policy(): string | undefined {
    return this.#policy
  }

  async look(): Promise<void> {
    const link = this.#link
    if (!link || monotonicMs() - this.#lookedAt < LOOK_MS) return
    this.#lookedAt = monotonicMs()
    const policy = await link.evicts()
    if (link === this.#link) this.#policy = policy
  }
}

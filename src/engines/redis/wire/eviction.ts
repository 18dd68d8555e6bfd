/** Eviction: notices if the server is set to evict keys while this process is connected. */
import { monotonicMs } from '../../../clock.js'
import type { Link } from './link.js'

/** Least time between two looks; meanwhile the last result counts. */
const LOOK_MS = 2_000

export class Eviction {
  #link: Link | undefined
  #policy: string | undefined
  #lookedAt = 0

  /** A link comes up only if the server evicts nothing (server.ts). */
  up(link: Link): void {
    this.#link = link
    this.#policy = undefined
    this.#lookedAt = monotonicMs()
  }

  down(): void {
    this.#link = undefined
  }

  /** The eviction policy; undefined for noeviction. */
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

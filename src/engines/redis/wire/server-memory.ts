/** Memory of the server: what it uses, its limit, and whether it was set to evict keys while this process is connected. */
import { monotonicMs } from '../../../clock.js'
import type { MemoryOfStore } from '../../../engine.js'
import type { Link } from './link.js'
import type { SeenMemory } from './server.js'

/** Least time between two looks; meanwhile the last result counts. */
const LOOK_MS = 2_000

export class ServerMemory {
  #link: Link | undefined
  #seen: SeenMemory | undefined
  #lookedAt = Number.NEGATIVE_INFINITY

  up(link: Link): void {
    this.#link = link
    this.#seen = undefined
    this.#lookedAt = Number.NEGATIVE_INFINITY
  }

  down(): void {
    this.#link = undefined
  }

  /** The eviction policy; undefined for noeviction, and before the first look: a link comes up only then (server.ts). */
  get policy(): string | undefined {
    return this.#seen?.policy
  }

  /** Undefined before the first look. */
  get bytes(): MemoryOfStore | undefined {
    return this.#seen?.bytes
  }

  async look(): Promise<void> {
    const link = this.#link
    if (!link || monotonicMs() - this.#lookedAt < LOOK_MS) return
    this.#lookedAt = monotonicMs()
    const seen = await link.memory()
    if (link === this.#link) this.#seen = seen
  }
}

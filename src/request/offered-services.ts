/** Offered services: those whose requests a worker offers to take, as far as a process knows; asked at most twice a second. */
import { monotonicMs } from '../clock.js'
import { valueWithin } from '../runtime/deadline.js'
import type { Space } from '../space.js'
import { indexOf, REQUEST } from './kinds.js'

/** How long an answer counts, and the longest wait for one, in ms. */
const KNOWN_MS = 500

export class OfferedServices {
  readonly #space: Space
  /** null: unknown. */
  #tokens: ReadonlySet<string> | null = null
  #knownUntil = 0
  #looking: Promise<void> | undefined

  constructor(space: Space) {
    this.#space = space
  }

  /**
   * Returns whether a worker offers to take requests for the app of a service, also one that has no free slot; true if
   * the space does not tell. All services share one question, and its answer counts for 500 ms.
   */
  has(service: string): boolean | Promise<boolean> {
    if (monotonicMs() < this.#knownUntil) return this.#includes(service)
    this.#looking ??= this.#look()
    return this.#looking.then(() => this.#includes(service))
  }

  #includes(service: string): boolean {
    return this.#tokens === null || this.#tokens.has(indexOf(service))
  }

  async #look(): Promise<void> {
    const template = { kind: REQUEST, root: REQUEST, indexed: [], verified: [] }
    const asked = this.#space.engine.offered(template).catch(() => null)
    const tokens = (await valueWithin(KNOWN_MS, asked)) ?? null
    this.#tokens = tokens && new Set(tokens)
    this.#knownUntil = monotonicMs() + KNOWN_MS
    this.#looking = undefined
  }
}

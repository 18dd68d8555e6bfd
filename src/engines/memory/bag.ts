/** The entries of a memory space: found by template, best first, and gone when their leases end. */
import { wallMs } from '../../clock.js'
import type { Image, Outcome, Pattern } from '../../engine.js'
import { matches } from './match.js'

/** Free entries may be found; a claimed one has a holder, and is only waiting to be completed or given back. */
export type State = 'free' | 'claimed'

export interface Item {
  readonly image: Image
  /** Its place among those of its priority; kept when it is put back. */
  readonly order: number
  readonly writtenAt: number
  expiresAt: number
  state: State
  attempt: number
  /** Changes with each claim: what a former holder does under the old one is refused. */
  claim: string
  started: boolean
  onOutcome?: ((outcome: Outcome) => void) | undefined
}

export class Bag {
  readonly #items = new Map<string, Item>()
  #order = 0
  #sweepAt = 1024

  put(image: Image): Item {
    const now = wallMs()
    const item: Item = {
      image,
      order: ++this.#order,
      writtenAt: now,
      expiresAt: now + image.leaseMs,
      state: 'free',
      attempt: 0,
      claim: '',
      started: false,
    }
    if (this.#items.size >= this.#sweepAt) this.#sweep()
    this.#items.set(image.id, item)
    return item
  }

  /** The entry, unless its lease has ended. */
  get(id: string): Item | undefined {
    const item = this.#items.get(id)
    return item && this.#alive(item) ? item : undefined
  }

  remove(id: string): void {
    this.#items.delete(id)
  }

  /** In the same place, another entry of the same id. */
  replace(item: Item, image: Image): void {
    const { order, writtenAt, attempt } = item
    const expiresAt = wallMs() + image.leaseMs
    this.#items.set(image.id, {
      image,
      order,
      writtenAt,
      expiresAt,
      state: 'free',
      attempt,
      claim: '',
      started: false,
    })
  }

  /** All free matches, in order. */
  all(pattern: Pattern): Item[] {
    const free = [...this.#items.values()].filter((item) => item.state === 'free' && this.#alive(item))
    return free.filter(({ image }) => matches(pattern, image)).sort((a, b) => (before(a, b) ? -1 : 1))
  }

  /** The root kinds, each with the number of its free entries. */
  roots(): Map<string, number> {
    const counts = new Map<string, number>()
    for (const { image, state } of this.#items.values()) {
      const root = image.kinds[image.kinds.length - 1]!
      if (state === 'free') counts.set(root, (counts.get(root) ?? 0) + 1)
    }
    return counts
  }

  /** The free match of highest priority, the oldest of these. */
  best(pattern: Pattern): Item | undefined {
    let best: Item | undefined
    for (const item of this.#items.values()) {
      if (item.state !== 'free' || !matches(pattern, item.image) || !this.#alive(item)) continue
      if (!best || before(item, best)) best = item
    }
    return best
  }

  #alive(item: Item): boolean {
    if (item.expiresAt > wallMs()) return true
    this.#items.delete(item.image.id)
    return false
  }

  /** Twice what is left before the next one: each write pays for a bounded part of it. */
  #sweep(): void {
    for (const item of this.#items.values()) this.#alive(item)
    this.#sweepAt = Math.max(1024, this.#items.size * 2)
  }
}

const before = (a: Item, b: Item): boolean =>
  a.image.priority === b.image.priority ? a.order < b.order : a.image.priority > b.image.priority

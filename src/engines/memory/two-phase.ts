/** Two-phase commits in memory. */
import type { Decision, ElsewhereTransaction, TwoPhase, Unfinished } from '../../engine/two-phase.js'
import type { World } from './world.js'

export class MemoryTwoPhase implements TwoPhase {
  readonly #world: World
  readonly #presence: string
  readonly #open: () => void

  /** `open` throws SPACE_CLOSED once the process has left. */
  constructor(world: World, presence: string, open: () => void) {
    this.#world = world
    this.#presence = presence
    this.#open = open
  }

  async prepare(tx: string, other: ElsewhereTransaction): Promise<void> {
    this.#open()
    this.#world.transactions.prepare(tx)
    this.#world.unfinished.add({ tx, other, isDecided: false })
  }

  async decide(tx: string, others: readonly ElsewhereTransaction[]): Promise<void> {
    this.#open()
    this.#world.transactions.get(tx)
    for (const other of others) this.#world.unfinished.add({ tx, other, isDecided: true })
    this.#world.end(tx, true)
  }

  async settle(tx: string, other: ElsewhereTransaction, isCommitted: boolean): Promise<void> {
    this.#open()
    if (this.#world.transactions.release(tx)) this.#world.end(tx, isCommitted)
    this.#world.unfinished.remove({ tx, other, isDecided: false })
  }

  async decisionOn(tx: string, other: ElsewhereTransaction): Promise<Decision> {
    this.#open()
    if (this.#world.unfinished.has({ tx, other, isDecided: true })) return 'committed'
    return this.#world.transactions.isOpen(tx) ? 'open' : 'ended'
  }

  async forget(tx: string, other: ElsewhereTransaction): Promise<void> {
    this.#open()
    this.#world.unfinished.remove({ tx, other, isDecided: true })
  }

  watch(onUnfinished: (unfinished: Unfinished) => void): void {
    this.#world.unfinished.watchers.set(this.#presence, onUnfinished)
  }
}

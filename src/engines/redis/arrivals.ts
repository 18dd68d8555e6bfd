/** Batches of a move on their way between two sets of partitions: sends them, waits for them, ends those left behind. */
import { randomBytes } from 'node:crypto'
import { monotonicMs } from '../../clock.js'
import type { Movable, Moves } from './moves.js'

const LOOK_MS = 5
/** A batch that is on its way for longer has lost the process that moved it. */
const LEFT_BEHIND_MS = 1_000

export class Arrivals {
  readonly #old: readonly Moves[]
  readonly #fresh: readonly Moves[]
  readonly #isInterleaved: boolean
  /** Since when batches are known to be on their way. */
  readonly #since = new Map<string, number>()

  /** `isInterleaved`: several old partitions have the same numbers in their orders of writing. */
  constructor(old: readonly Moves[], fresh: readonly Moves[], isInterleaved: boolean) {
    this.#old = old
    this.#fresh = fresh
    this.#isInterleaved = isInterleaved
  }

  /** Moves a batch from an old partition to a new one. Returns how many of it have moved: what was unchanged and free. */
  async send(old: number, fresh: number, items: readonly Movable[]): Promise<number> {
    const [from, to] = [this.#old[old]!, this.#fresh[fresh]!]
    const count = this.#isInterleaved ? this.#old.length : 1
    const batch = `${old}/${count}/${randomBytes(9).toString('base64url')}`
    await to.arrive(batch, items, from)
    const left = await from.depart(batch, items)
    await to.land(batch, left)
    await from.forgetDeparture(batch)
    return left.length
  }

  /** Resolves when the batches that are on their way to a new partition now have arrived. */
  async arrived(partition: number): Promise<void> {
    const moves = this.#fresh[partition]!
    let awaited = await moves.arriving()
    const until = monotonicMs() + LEFT_BEHIND_MS
    while (awaited.length > 0) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
      const still = new Set(await moves.arriving())
      awaited = awaited.filter((batch) => still.has(batch))
      if (monotonicMs() >= until) for (const batch of awaited) await this.#end(moves, batch)
    }
  }

  /** Ends the batches that were left behind; to be called again and again. `all`: those that are on their way at all. */
  async endLeftBehind(all = false): Promise<void> {
    const now = monotonicMs()
    const seen = new Set<string>()
    for (const moves of this.#fresh) {
      for (const batch of await moves.arriving()) {
        const since = this.#since.get(batch) ?? now
        this.#since.set(batch, since)
        seen.add(batch)
        if (all || now - since >= LEFT_BEHIND_MS) await this.#end(moves, batch)
      }
    }
    for (const batch of this.#since.keys()) if (!seen.has(batch)) this.#since.delete(batch)
  }

  /** Its old partition knows what has left in it; what has not left by now will not. */
  async #end(moves: Moves, batch: string): Promise<void> {
    const old = this.#old[Number.parseInt(batch, 10)]
    if (!old) return
    await moves.land(batch, await old.depart(batch, []))
    await old.forgetDeparture(batch)
  }
}

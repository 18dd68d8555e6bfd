/** Finds over partitions: one after the other for what is there; scouted-find.ts waits in several at once. */
import { monotonicMs } from '../../clock.js'
import type { Engine, Find, Stored } from '../../engine.js'
import { isSpaceError } from '../../errors.js'
import { underAny } from '../../runtime/abort.js'
import type { Placement } from './placement.js'
import { readAnywhere } from './read-anywhere.js'
import { type Ask, findScouted, type Under } from './scouted-find.js'
import { otherPartition, type PartitionedTransaction, type PartitionedTransactions } from './transactions.js'

export class PartitionedFinds {
  readonly #members: readonly Engine[]
  readonly #placement: Placement
  readonly #transactions: PartitionedTransactions

  constructor(members: readonly Engine[], placement: Placement, transactions: PartitionedTransactions) {
    this.#members = members
    this.#placement = placement
    this.#transactions = transactions
  }

  find(find: Find): Promise<Stored | null> {
    if (find.tx !== undefined) return this.#findUnder(this.#transactions.get(find.tx), find)
    const among = this.#placement.among(find.template)
    return this.#findAmong(among, find, (partition, own) => this.#ask(partition, own))
  }

  /**
   * Takes what is there. A transaction without a home takes from the first partition with a match alone, unless it spans
   * all.
   */
  async takeMany(find: Find, most: number): Promise<Stored[]> {
    const tx = find.tx === undefined ? undefined : this.#transactions.get(find.tx)
    const taken: Stored[] = []
    let away: unknown
    for (const partition of this.#transactions.reach(tx, this.#placement.ofTemplate(find.template))) {
      if (taken.length >= most) break
      const member = this.#members[partition]!
      try {
        await this.#placement.arrived?.(partition)
        if (tx) {
          const under = { ...find, tx: this.#transactions.in(tx, partition) }
          const own = await member.takeMany(under, most - taken.length)
          if (own.length === 0) continue
          if (tx.spans) {
            this.#transactions.settle(tx, partition)
            taken.push(...own)
            continue
          }
          if (this.#transactions.settle(tx, partition)) return own
          await this.#transactions.undo(tx, partition)
          return this.takeMany(find, most)
        }
        taken.push(...(await member.takeMany(find, most - taken.length)))
      } catch (error) {
        // A partition that is away keeps nothing from the others.
        if (!isSpaceError(error) || !error.retryable || tx) {
          if (taken.length === 0) throw error
          break
        }
        away = error
      }
    }
    if (taken.length === 0 && away !== undefined) throw away
    return taken
  }

  #ask(partition: number, find: Find): Promise<Stored | null> {
    const member = this.#members[partition]!
    const arrived = this.#placement.arrived?.(partition)
    return arrived ? arrived.then(() => member.find(find)) : member.find(find)
  }

  async #findUnder(tx: PartitionedTransaction, find: Find): Promise<Stored | null> {
    const endsAt = monotonicMs() + find.waitMs
    const only = this.#placement.ofTemplate(find.template)
    const among = this.#transactions.reach(tx, only)
    const ask: Ask = async (partition, own) => {
      const stored = await this.#ask(partition, { ...own, tx: this.#transactions.in(tx, partition) })
      if (!stored || this.#transactions.settle(tx, partition)) return stored
      await this.#transactions.undo(tx, partition)
      throw otherPartition(`Transaction ${tx.id}`, tx.home!, 'the entry', partition)
    }
    if (tx.spans) return this.#findAmong(among, find, ask, (partition) => this.#transactions.in(tx, partition))
    if (tx.home !== undefined) return this.#findAtHome(tx.home, find, ask)
    tx.settled ??= new AbortController()
    const { signal } = tx.settled
    try {
      const signals = find.signal ? [find.signal, signal] : [signal]
      return await underAny(signals, (ends) => this.#findAmong(among, { ...find, signal: ends }, ask))
    } catch (error) {
      const hasMoved = error === signal.reason || isSpaceError(error, 'OTHER_PARTITION')
      if (!hasMoved || tx.home === undefined || (only && !only.includes(tx.home))) throw error
      // Another operation has given it a home meanwhile.
      return ask(tx.home, { ...find, waitMs: Math.max(endsAt - monotonicMs(), 0) })
    }
  }

  async #findAtHome(home: number, find: Find, ask: Ask): Promise<Stored | null> {
    if (!this.#placement.bring) return ask(home, find)
    const found = await ask(home, { ...find, waitMs: 0 })
    if (found) return found
    await this.#placement.bring(find.template, home)
    return ask(home, find)
  }

  async #findAmong(among: readonly number[], find: Find, ask: Ask, scoutUnder?: Under): Promise<Stored | null> {
    const [first] = among
    if (among.length === 1) return ask(first!, find)
    // A read claims nothing, so it can wait everywhere at once, and is shown what comes from now on.
    if (find.waitMs > 0 && !find.take && !find.ifExists && find.tx === undefined) return readAnywhere(among, find, ask)
    let away: unknown
    for (const partition of among) {
      find.signal?.throwIfAborted()
      try {
        const stored = await ask(partition, { ...find, waitMs: 0 })
        if (stored) return stored
      } catch (error) {
        if (!isSpaceError(error) || !error.retryable) throw error
        away = error
      }
    }
    if (find.waitMs > 0) return findScouted(this.#members, among, find, ask, scoutUnder)
    if (away !== undefined) throw away
    return null
  }
}

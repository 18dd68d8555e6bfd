/** Transactions of all processes in all partitions, for operators: one that spans several is listed in each of them. */
import type { Engine, SeenTransaction, TransactionsOfAll } from '../../engine.js'

/** Between the partition and the id there. */
const BEHIND_PARTITION = ':'

export class TransactionsInPartitions implements TransactionsOfAll {
  readonly #members: () => readonly Pick<Engine, 'transactions'>[]

  /** @param members the partitions that are in use */
  constructor(members: () => readonly Pick<Engine, 'transactions'>[]) {
    this.#members = members
  }

  async list(most: number): Promise<SeenTransaction[]> {
    const all = await Promise.all(
      this.#members().map(async ({ transactions }, partition) => {
        const own = await transactions.list(most)
        return own.map((seen) => ({ ...seen, id: `${partition}${BEHIND_PARTITION}${seen.id}` }))
      }),
    )
    return all
      .flat()
      .sort((a, b) => a.remainingMs - b.remainingMs)
      .slice(0, most)
  }

  async expire(id: string): Promise<boolean> {
    const at = id.indexOf(BEHIND_PARTITION)
    const member = this.#members()[Number(id.slice(0, at))]
    return at > 0 && member !== undefined && member.transactions.expire(id.slice(at + 1))
  }
}

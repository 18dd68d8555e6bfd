/** The transactions of a memory space: their entries and their leases. */
import { LONGEST_TIMER_MS, wallMs } from '../../clock.js'
import type { SeenTransaction, TransactionsOfAll } from '../../engine.js'
import { kindNamed } from '../../entry/token.js'
import { SpaceError } from '../../errors.js'
import type { Item } from './bag.js'

export interface OpenTransaction {
  readonly id: string
  readonly presence: string
  readonly items: Set<Item>
  expiresAt: number
  readonly onEnded: () => void
  timer: NodeJS.Timeout | undefined
  /** True once it is prepared for the decision of another partition (two-phase.ts): it has no lease from then on. */
  isPrepared: boolean
}

/** Returns a transaction as others see it. */
function seenTransaction({ id, presence, items, expiresAt, isPrepared }: OpenTransaction): SeenTransaction {
  const all = [...items]
  return {
    id,
    presence,
    state: isPrepared ? 'prepared' : 'open',
    remainingMs: isPrepared ? 0 : Math.max(expiresAt - wallMs(), 0),
    held: all.filter(({ taker, readers }) => taker === id || readers.has(id)).length,
    written: all.filter(({ writer, taker }) => writer === id && taker !== id).length,
    kinds: [...new Set(all.map(({ entry }) => kindNamed(entry.kinds[0]!)))],
  }
}

export class MemoryTransactions {
  readonly #open = new Map<string, OpenTransaction>()
  readonly #onExpired: (transaction: OpenTransaction) => void
  #ids = 0

  constructor(onExpired: (transaction: OpenTransaction) => void) {
    this.#onExpired = onExpired
  }

  begin(presence: string, leaseMs: number, onEnded: () => void): string {
    const id = `tx${++this.#ids}`
    const transaction: OpenTransaction = {
      id,
      presence,
      items: new Set(),
      expiresAt: wallMs() + leaseMs,
      onEnded,
      timer: undefined,
      isPrepared: false,
    }
    this.#open.set(id, transaction)
    this.#arm(transaction)
    return id
  }

  /** @throws SpaceError TRANSACTION_ENDED */
  get(id: string): OpenTransaction {
    const transaction = this.#open.get(id)
    if (!transaction || transaction.isPrepared) throw new SpaceError('TRANSACTION_ENDED')
    return transaction
  }

  renew(id: string, leaseMs: number): number {
    const transaction = this.get(id)
    transaction.expiresAt = wallMs() + leaseMs
    this.#arm(transaction)
    return transaction.expiresAt
  }

  /** @throws SpaceError TRANSACTION_ENDED */
  prepare(id: string): void {
    const transaction = this.get(id)
    clearTimeout(transaction.timer)
    transaction.isPrepared = true
  }

  /** Returns whether a transaction is open, and not prepared. */
  isOpen(id: string): boolean {
    return this.#open.get(id)?.isPrepared === false
  }

  /** Has end() settle a prepared transaction. Returns false if there is none of this name. */
  release(id: string): boolean {
    const transaction = this.#open.get(id)
    if (!transaction?.isPrepared) return false
    transaction.isPrepared = false
    return true
  }

  /** Closes a transaction. Returns undefined if it was not open. */
  close(id: string): OpenTransaction | undefined {
    const transaction = this.#open.get(id)
    if (transaction?.isPrepared) return undefined
    clearTimeout(transaction?.timer)
    this.#open.delete(id)
    return transaction
  }

  of(presence: string): OpenTransaction[] {
    return [...this.#open.values()].filter((each) => each.presence === presence && !each.isPrepared)
  }

  get all(): OpenTransaction[] {
    return [...this.#open.values()]
  }

  #arm(transaction: OpenTransaction): void {
    clearTimeout(transaction.timer)
    const left = transaction.expiresAt - wallMs()
    if (left <= 0) {
      this.#onExpired(transaction)
      return
    }
    // Does not keep the process alive.
    transaction.timer = setTimeout(() => this.#arm(transaction), Math.min(left, LONGEST_TIMER_MS)).unref()
  }
}

/** Those of all processes, for operators. */
export class TransactionsInMemory implements TransactionsOfAll {
  readonly #transactions: MemoryTransactions

  constructor(transactions: MemoryTransactions) {
    this.#transactions = transactions
  }

  async list(most: number): Promise<SeenTransaction[]> {
    const open = this.#transactions.all.sort((a, b) => a.expiresAt - b.expiresAt)
    return open.slice(0, most).map(seenTransaction)
  }

  async expire(id: string): Promise<boolean> {
    if (!this.#transactions.isOpen(id)) return false
    this.#transactions.renew(id, 0)
    return true
  }
}

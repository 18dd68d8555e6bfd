/** The transactions of a memory space: their entries and their leases. */
import { LONGEST_TIMER_MS, wallMs } from '../../clock.js'
import { SpaceError } from '../../errors.js'
import type { Item } from './bag.js'

export interface OpenTransaction {
  readonly id: string
  readonly presence: string
  readonly items: Set<Item>
  expiresAt: number
  readonly onEnded: () => void
  timer: NodeJS.Timeout | undefined
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
    }
    this.#open.set(id, transaction)
    this.#arm(transaction)
    return id
  }

  /** @throws SpaceError TRANSACTION_ENDED */
  get(id: string): OpenTransaction {
    const transaction = this.#open.get(id)
    if (!transaction) throw new SpaceError('TRANSACTION_ENDED')
    return transaction
  }

  renew(id: string, leaseMs: number): number {
    const transaction = this.get(id)
    transaction.expiresAt = wallMs() + leaseMs
    this.#arm(transaction)
    return transaction.expiresAt
  }

  /** Closes a transaction. Returns undefined if it was not open. */
  close(id: string): OpenTransaction | undefined {
    const transaction = this.#open.get(id)
    clearTimeout(transaction?.timer)
    this.#open.delete(id)
    return transaction
  }

  of(presence: string): OpenTransaction[] {
    return [...this.#open.values()].filter((transaction) => transaction.presence === presence)
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

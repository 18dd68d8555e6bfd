/** Two-phase commits on Redis: the operations of prepare.lua. */
import type { Decision, ElsewhereTransaction, TwoPhase, Unfinished } from '../../engine/two-phase.js'
import { olderProcesses } from './older-processes.js'
import { PUSH, REPLY } from './protocol.js'
import type { Transactions } from './transaction.js'
import { ask } from './wire/ask.js'
import type { Batches } from './wire/batches.js'

const AGAIN = { repeatable: true } as const
const ONCE = { repeatable: false, redoable: true } as const

export class TwoPhaseOnRedis implements TwoPhase {
  readonly #batches: Batches
  readonly #transactions: Transactions
  #onUnfinished: (unfinished: Unfinished) => void = () => {}

  constructor(batches: Batches, transactions: Transactions) {
    this.#batches = batches
    this.#transactions = transactions
  }

  async prepare(tx: string, decider: ElsewhereTransaction): Promise<void> {
    const named = { transaction: tx, decider: textOf(decider) }
    const reply = await this.#transactions.ending(tx, () => ask(this.#batches, 'prepare', named, ONCE))
    if (reply.kind === REPLY.failed) throw olderProcesses(reply, 'It has effects in several partitions.')
  }

  async decide(tx: string, others: readonly ElsewhereTransaction[]): Promise<void> {
    const named = { transaction: tx, others: others.map(textOf).join(',') }
    const { kind } = await this.#transactions.ending(tx, () => ask(this.#batches, 'decide', named, ONCE))
    if (kind === REPLY.askAgain) await this.#transactions.visible(tx)
  }

  async settle(tx: string, decider: ElsewhereTransaction, isCommitted: boolean): Promise<void> {
    const named = { transaction: tx, decider: textOf(decider), committed: isCommitted ? '1' : '0' }
    const { kind } = await ask(this.#batches, 'settlePrepared', named, AGAIN)
    if (kind === REPLY.askAgain) await this.#transactions.visible(tx)
  }

  async decisionOn(tx: string, other: ElsewhereTransaction): Promise<Decision> {
    const { kind } = await ask(this.#batches, 'decisionOn', { transaction: tx, other: textOf(other) }, AGAIN)
    if (kind === REPLY.done) return 'committed'
    return kind === REPLY.waiting ? 'open' : 'ended'
  }

  async forget(tx: string, other: ElsewhereTransaction): Promise<void> {
    await ask(this.#batches, 'forgetDecision', { transaction: tx, other: textOf(other) }, AGAIN)
  }

  watch(onUnfinished: (unfinished: Unfinished) => void): void {
    this.#onUnfinished = onUnfinished
  }

  /** Handles a push. Returns false if it is malformed. */
  unfinished(kind: string, bytes: Buffer): boolean {
    const [, tx, partition, other] = /^(\S+) (\d{1,4}) (\S+)$/.exec(bytes.toString('latin1')) ?? []
    if (tx === undefined || other === undefined) return false
    this.#onUnfinished({ tx, other: { partition: Number(partition), tx: other }, isDecided: kind === PUSH.decided })
    return true
  }
}

const textOf = ({ partition, tx }: ElsewhereTransaction): string => `${partition} ${tx}`

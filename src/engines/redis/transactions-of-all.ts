/** Transactions of all processes on Redis, for operators. */
import type { SeenTransaction, TransactionsOfAll } from '../../engine.js'
import { kindNamed } from '../../entry/token.js'
import { REPLY, SHARED } from './protocol.js'
import { ask } from './wire/ask.js'
import type { Batches } from './wire/batches.js'
import { readPage } from './wire/push.js'

export class TransactionsOnRedis implements TransactionsOfAll {
  readonly #batches: Pick<Batches, 'add'>

  constructor(batches: Pick<Batches, 'add'>) {
    this.#batches = batches
  }

  async list(most: number): Promise<SeenTransaction[]> {
    const { values, now } = await ask(this.#batches, 'listTransactions', { most: String(most) }, { repeatable: true })
    const seen: SeenTransaction[] = []
    readPage(values[1]!, ({ first: id, second, bytes }) => {
      const [ends = 0, held = 0, written = 0] = second.split(' ').map(Number)
      const state = ends < 0 ? 'ending' : ends >= SHARED.neverMs ? 'prepared' : 'open'
      const remainingMs = state === 'open' ? Math.max(ends - now, 0) : 0
      const kinds = bytes.toString().split('\n').filter(Boolean).map(kindNamed)
      seen.push({ id, presence: id.slice(0, SHARED.presenceLength), state, remainingMs, held, written, kinds })
    })
    return seen
  }

  /** The next call to the space aborts it, and tells its owner. */
  async expire(id: string): Promise<boolean> {
    const named = { transaction: id, leaseMs: '0' }
    const { kind } = await ask(this.#batches, 'renewTransaction', named, { repeatable: true })
    return kind !== REPLY.transactionEnded
  }
}

/** Takes of several entries: one search hands over all matches, then each is acknowledged like a single take. */
import type { Find, Stored } from '../../engine.js'
import { isSpaceError } from '../../errors.js'
import type { Acceptance } from './acceptance.js'
import { type Parsed, packedTemplate, parseRecord } from './record.js'
import type { Transactions } from './transaction.js'
import { ask, type Reply } from './wire/ask.js'
import type { Batches } from './wire/batches.js'
import { readPage } from './wire/push.js'

/** Most entries in one call; more would hold the server for too long. */
const AT_ONCE = 128

const NOWHERE = Buffer.alloc(0)

interface Handed {
  readonly claim: string
  readonly parsed: Parsed
}

export class TakesOfMany {
  readonly #batches: Batches
  readonly #transactions: Transactions
  readonly #acceptance: Acceptance

  constructor(batches: Batches, transactions: Transactions, acceptance: Acceptance) {
    this.#batches = batches
    this.#transactions = transactions
    this.#acceptance = acceptance
  }

  async take(find: Find, most: number): Promise<Stored[]> {
    const taken: Stored[] = []
    let after: Buffer = NOWHERE
    while (taken.length < most) {
      const asked = Math.min(most - taken.length, AT_ONCE)
      const answer = await this.#ask(find, after, asked).catch((error) => endWith(taken, find, error))
      if (!answer) break
      after = answer.values[0]!
      const handed = handedIn(answer)
      const accepted = handed.map(({ claim, parsed }) => this.#acceptance.accept(find, claim, parsed))
      let failure: unknown
      for (const each of await Promise.allSettled(accepted)) {
        if (each.status === 'rejected') failure ??= each.reason
        else if (each.value) taken.push(each.value)
      }
      if (failure !== undefined) endWith(taken, find, failure)
      if (failure !== undefined || (after.length === 0 && handed.length < asked)) break
    }
    return taken
  }

  #ask(find: Find, after: Buffer, most: number): Promise<Reply> {
    const { tx = '', template } = find
    const named = { after, most: String(most), transaction: tx, template: packedTemplate(template) }
    // Repeatable under the same conditions as a single take, see Finds.
    return tx
      ? this.#transactions.ask(tx, 'takeMany', named, { repeatable: false, redoable: true })
      : ask(this.#batches, 'takeMany', named, { repeatable: true })
  }
}

/**
 * Ends a take that has failed. Returns if entries were taken: they are the caller's. Throws the error if there are
 * none, or if a transaction may have taken entries that never arrived: it must not be committed, and its end puts all
 * back.
 */
function endWith(taken: readonly Stored[], { tx }: Find, error: unknown): undefined {
  if (taken.length === 0 || (tx !== undefined && isSpaceError(error, 'OUTCOME_UNKNOWN'))) throw error
}

function handedIn({ values, now }: Reply): Handed[] {
  const handed: Handed[] = []
  readPage(values[2]!, ({ first, second, bytes }) =>
    handed.push({ claim: second, parsed: parseRecord(first, bytes, now) }),
  )
  return handed
}

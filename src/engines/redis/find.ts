/** Reads and takes: immediate, or waiting until an entry is handed over. */
import type { Find, Stored } from '../../engine.js'
import type { Acceptance } from './acceptance.js'
import { FIND, REPLY, WAIT } from './protocol.js'
import { packedTemplate } from './record.js'
import type { Transactions } from './transaction.js'
import { type FindPort, foundIn, WaitingFind } from './waiting-find.js'
import { ask, type Reply } from './wire/ask.js'
import type { Batches } from './wire/batches.js'
import type { Arguments } from './wire/operation.js'

export class Finds {
  readonly #batches: Batches
  readonly acceptance: Acceptance
  readonly #transactions: Transactions
  /** Waiting finds, by the id of the wait. */
  readonly #waiting = new Map<string, WaitingFind>()
  readonly #port: FindPort
  #waits = 0

  constructor(batches: Batches, acceptance: Acceptance, transactions: Transactions) {
    this.#batches = batches
    this.acceptance = acceptance
    this.#transactions = transactions
    this.#port = {
      search: (find, wait) => this.#search(find, wait),
      accept: (find, claim, parsed) => acceptance.accept(find, claim, parsed),
      giveBack: (claim) => acceptance.giveBack(claim),
      endWait: (wait) => ask(batches, 'endWait', { wait }, { repeatable: true }),
      isAnnounced: (tx) => transactions.isAnnounced(tx),
    }
  }

  find(find: Find): Promise<Stored | null> {
    return find.waitMs > 0 ? this.#wait(find) : this.#once(find)
  }

  /** Passes on an entry that was handed to a waiting take. */
  delivered(wait: string, claim: string, record: Buffer, now: number): void {
    const waiting = this.#waiting.get(wait)
    if (waiting) waiting.handed(idOf(claim), claim, record, now)
    else this.acceptance.giveBack(claim)
  }

  /** Passes on an entry that was shown to a waiting read. */
  shown(wait: string, id: string, record: Buffer, now: number): void {
    this.#waiting.get(wait)?.handed(id, '', record, now)
  }

  /** Ends a wait that has nothing left to wait for. */
  missed(wait: string): void {
    this.#waiting.get(wait)?.missed()
  }

  /**
   * Has the finds of a transaction search again: an entry has become free for it alone. Or the find of this wait: the lease
   * of a match that is held ends earlier.
   */
  lookAgain(name: string): void {
    this.#waiting.get(name)?.lookAgain()
    for (const waiting of this.#waiting.values()) if (waiting.find.tx === name) waiting.lookAgain()
  }

  /** How many finds outside transactions are in a queue of the space. */
  get registered(): number {
    let count = 0
    for (const { find, isRegistered } of this.#waiting.values()) if (isRegistered && find.tx === undefined) count++
    return count
  }

  askAnew(): void {
    for (const waiting of this.#waiting.values()) waiting.askAnew()
  }

  close(): void {
    for (const waiting of this.#waiting.values()) waiting.close()
  }

  async #once(find: Find): Promise<Stored | null> {
    for (;;) {
      const reply = await this.#search(find, '')
      if (reply.kind !== REPLY.found) return null
      const { claim, parsed } = foundIn(reply)
      const stored = await this.acceptance.accept(find, claim, parsed)
      if (stored) return stored
    }
  }

  #wait(find: Find): Promise<Stored | null> {
    // The first character marks a wait under a transaction. A read locks the entry that it is shown. A take is handed
    // nothing once the transaction has ended.
    const [plain, under] = find.take ? [WAIT.take, WAIT.takeUnder] : [WAIT.read, WAIT.readUnder]
    const wait = `${find.tx === undefined ? plain : under}${(++this.#waits).toString(36)}`
    const waiting = new WaitingFind(wait, find, this.#port)
    this.#waiting.set(wait, waiting)
    return waiting.start().finally(() => this.#waiting.delete(wait))
  }

  /**
   * Searches on while the bound on candidates is met. `wait`: put into a queue if nothing is found; '' for no wait.
   */
  async #search(find: Find, wait: string): Promise<Reply> {
    const { take, tx = '', ifExists } = find
    const mode = take ? (ifExists ? FIND.takeIfExists : FIND.take) : ifExists ? FIND.readIfExists : FIND.read
    const named = { mode, wait, transaction: tx, template: packedTemplate(find.template) }
    // A take under a transaction is not acknowledged, so a lost reply would leave open whether it took an entry. Under
    // a transaction a find is not `standing`: without a link it stays queued behind the `begin` of its transaction.
    const options = { repeatable: !(take && tx), standing: wait !== '' && !tx }
    const asked = <N extends 'find' | 'continueFind'>(name: N, args: Arguments<N>): Promise<Reply> =>
      tx ? this.#transactions.ask(tx, name, args, options) : ask(this.#batches, name, args, options)
    // Places in the order of a field are bytes.
    let after: Buffer | undefined
    for (;;) {
      const reply = await (after === undefined ? asked('find', named) : asked('continueFind', { after, ...named }))
      if (reply.kind === REPLY.more) after = reply.values[0]!
      else if (reply.kind === REPLY.askAgain) after = undefined
      else return reply
    }
  }
}

export const idOf = (claim: string): string => claim.slice(0, claim.indexOf(':'))

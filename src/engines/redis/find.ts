/** Reads and takes: at once, or by standing in line until the entry is handed over. */
import type { Find, Stored } from '../../engine.js'
import { tokenOf } from '../../entry/token.js'
import { isSpaceError, SpaceError } from '../../errors.js'
import { Wait } from '../../runtime/wait.js'
import type { Keys } from './keys.js'
import { FIND, REPLY, WAIT } from './protocol.js'
import { type Parsed, packedTemplate, parseRecord } from './record.js'
import type { Transactions } from './transaction.js'
import { ask, type Reply } from './wire/ask.js'
import type { Batches } from './wire/batches.js'
import type { Bodies } from './wire/bodies.js'
import type { Arguments } from './wire/operation.js'

/** How long the space may take to confirm that a wait has ended before it is ended without. */
const CONFIRM_MS = 1_000

interface Call {
  readonly wid: string
  readonly find: Find
  readonly wait: Wait<Stored | null>
  /** The space has it in line. */
  registered: boolean
  /** An entry is in hand and being acknowledged: the end of the wait comes too late. */
  accepting: boolean
  /** A search is under way, which may find something. What comes meanwhile has its turn when it is answered. */
  searching: boolean
  /** Something has come up since the search went out: it is to look again. */
  again: boolean
  /** An entry was handed over; it is accepted unless the search has found one. */
  handed: (() => void) | undefined
  /** What its end is, once its time is up or its signal has fired; an entry that is in hand comes first. */
  over: (() => void) | undefined
}

export class Finds {
  readonly #batches: Batches
  readonly #bodies: Bodies
  readonly #keys: Keys
  readonly #transactions: Transactions
  readonly #calls = new Map<string, Call>()
  /** Plain takes between the claim and its acknowledgement. */
  readonly #accepting = new Set<string>()
  #wids = 0

  constructor(batches: Batches, bodies: Bodies, keys: Keys, transactions: Transactions) {
    this.#batches = batches
    this.#bodies = bodies
    this.#keys = keys
    this.#transactions = transactions
  }

  find(find: Find): Promise<Stored | null> {
    return find.waitMs > 0 ? this.#inLine(find) : this.#once(find)
  }

  /** An entry handed to a waiting take. */
  delivered(wid: string, claim: string, record: Buffer, now: number): void {
    const call = this.#calls.get(wid)
    if (!call || call.wait.settled || call.accepting) return this.#giveBack(claim)
    if (call.searching) {
      call.handed = () => this.delivered(wid, claim, record, now)
      return
    }
    void this.#accept(call, claim, parseRecord(idOf(claim), record, now))
  }

  /** An entry shown to a waiting read. */
  shown(wid: string, id: string, record: Buffer, now: number): void {
    const call = this.#calls.get(wid)
    if (call && !call.wait.settled && !call.accepting) void this.#accept(call, '', parseRecord(id, record, now))
  }

  /** A wait for what transactions hold: none does any longer. */
  missed(wid: string): void {
    const call = this.#calls.get(wid)
    if (!call || call.accepting) return
    if (call.searching) call.again = true
    else call.wait.resolve(null)
  }

  /** Something has become free for this transaction only. */
  lookAgain(tx: string): void {
    for (const call of this.#calls.values()) {
      if (call.find.tx !== tx || call.wait.settled || call.accepting) continue
      if (call.searching) call.again = true
      else if (call.registered) void this.#register(call)
    }
  }

  claims(): Iterable<string> {
    return this.#accepting
  }

  askAnew(): void {
    for (const call of this.#calls.values()) {
      call.registered = false
      if (!call.wait.settled && !call.accepting && !call.searching) void this.#register(call)
    }
  }

  close(): void {
    for (const call of this.#calls.values()) call.wait.reject(new SpaceError('SPACE_CLOSED'))
  }

  async #once(find: Find): Promise<Stored | null> {
    for (;;) {
      const answer = await this.#search(find, '')
      if (answer.kind !== REPLY.found) return null
      const { claim, parsed } = foundIn(answer)
      const stored = await this.accepted(find, claim, parsed)
      if (stored) return stored
    }
  }

  /** Goes on as long as the bound on candidates is met. */
  async #search(find: Find, wid: string): Promise<Reply> {
    const { take, tx = '', ifExists } = find
    const mode = take ? (ifExists ? FIND.takeIfExists : FIND.take) : ifExists ? FIND.readIfExists : FIND.read
    const named = { mode, wait: wid, transaction: tx, template: packedTemplate(find.template) }
    // What is taken under a transaction needs no acknowledgement, so nobody could tell whether a lost answer had taken something.
    // And it stays behind what tells the space of the transaction, also while there is no link.
    const options = { repeatable: !(take && tx), standing: wid !== '' && !tx }
    const asked = <N extends 'find' | 'continueFind'>(name: N, arguments_: Arguments<N>): Promise<Reply> =>
      tx ? this.#transactions.ask(tx, name, arguments_, options) : ask(this.#batches, name, arguments_, options)
    let after: string | undefined
    for (;;) {
      const answer = await (after === undefined ? asked('find', named) : asked('continueFind', { after, ...named }))
      if (answer.kind === REPLY.more) after = answer.values[0]!.toString('latin1')
      else if (answer.kind === REPLY.askAgain) after = undefined
      else return answer
    }
  }

  #inLine(find: Find): Promise<Stored | null> {
    // One under a transaction is told by its first letter: a read locks what it is shown, a take is handed nothing once that has ended.
    const [plain, under] = find.take ? [WAIT.take, WAIT.takeUnder] : [WAIT.read, WAIT.readUnder]
    const wid = `${find.tx === undefined ? plain : under}${(++this.#wids).toString(36)}`
    const call: Call = {
      wid,
      find,
      wait: new Wait(),
      registered: false,
      accepting: false,
      searching: false,
      again: false,
      handed: undefined,
      over: undefined,
    }
    this.#calls.set(wid, call)
    const { waitMs, signal } = find
    call.wait.until(
      waitMs,
      () => this.#end(call, () => call.wait.resolve(null)),
      signal,
      () => this.#end(call, () => call.wait.reject(signal?.reason)),
    )
    void this.#register(call)
    return call.wait.promise.finally(() => this.#calls.delete(wid))
  }

  async #register(call: Call): Promise<void> {
    call.searching = true
    call.again = false
    let answer: Reply | undefined
    try {
      answer = await this.#search(call.find, call.wid)
    } catch (error) {
      // Without a link it asks anew when there is one; only what no link can mend ends the wait.
      if (!(error instanceof SpaceError) || !error.retryable) {
        call.wait.reject(error)
        // It looked again for its transaction, and stands in line from before.
        if (call.registered) this.#leave(call)
      }
    }
    call.searching = false
    const { handed } = call
    call.handed = undefined
    const busy = call.wait.settled || call.accepting
    if (answer?.kind === REPLY.found) {
      const { claim, parsed } = foundIn(answer)
      if (!busy) void this.#accept(call, claim, parsed)
      else if (call.find.take) this.#giveBack(claim)
    }
    handed?.()
    if (answer?.kind === REPLY.waiting) this.#stands(call)
    else if (answer?.kind === REPLY.none && !call.accepting) call.wait.resolve(null)
    this.#endIfOver(call)
  }

  /** The space has it in line. */
  #stands(call: Call): void {
    call.registered = true
    if (call.wait.settled || call.accepting) this.#leave(call)
    else if (call.again) void this.#register(call)
  }

  async #accept(call: Call, claim: string, parsed: Parsed): Promise<void> {
    call.accepting = true
    try {
      const stored = await this.accepted(call.find, claim, parsed)
      if (stored) return call.wait.resolve(stored)
      call.accepting = false
      call.registered = false
      if (call.over) this.#endIfOver(call)
      else void this.#register(call)
    } catch (error) {
      call.wait.reject(error)
    }
  }

  /** null: the claim was lost meanwhile, or this is none that anybody could use; the find is to go on. */
  async accepted(find: Find, claim: string, parsed: Parsed): Promise<Stored | null> {
    if (claim) this.#accepting.add(claim)
    try {
      // Without its body there is nothing to be had of it: it has gone, or nobody could ever read it.
      const stored = await this.#complete(parsed)
      if (!stored || !(await this.#conforms(find, claim, stored))) {
        const aside = await this.#setAside(claim, parsed.id, stored ? 'nonconforming' : 'bodiless')
        if (stored && aside) find.onNonconforming?.(stored)
        return null
      }
      return claim && !(await this.#acknowledge(find, claim)) ? null : stored
    } finally {
      this.#accepting.delete(claim)
    }
  }

  async #conforms({ conforms }: Find, claim: string, stored: Stored): Promise<boolean> {
    try {
      return !conforms || (await conforms(stored))
    } catch (error) {
      this.#giveBack(claim)
      throw error
    }
  }

  /** Makes a take final, or its transaction's. */
  async #acknowledge({ tx = '' }: Find, claim: string): Promise<boolean> {
    const named = { claim, transaction: tx }
    // Not repeatable: asked a second time, the space could not tell a take that it has made final from a claim that was lost.
    const options = { repeatable: false }
    if (!tx) return (await ask(this.#batches, 'acknowledge', named, options)).kind === REPLY.done
    try {
      return (await this.#transactions.ask(tx, 'acknowledge', named, options)).kind === REPLY.done
    } catch (error) {
      // It ended while the entry was on its way, so the space may not have been asked.
      if (isSpaceError(error, 'TRANSACTION_ENDED')) this.#giveBack(claim)
      throw error
    }
  }

  async #setAside(claim: string, id: string, reason: string): Promise<boolean> {
    const named = { id, reason: tokenOf(reason), claim }
    const { kind } = await ask(this.#batches, 'deadLetter', named, { repeatable: true })
    return kind === REPLY.done
  }

  /** With its body, wherever that stands. null: that is not there any longer. */
  async #complete(parsed: Parsed): Promise<Stored | null> {
    if (!parsed.byReference) return parsed
    const body = await this.#bodies.get(this.#keys.body(parsed.id))
    return body && { ...parsed, body }
  }

  /** The wait is over; but if its hand-off is under way, the entry wins, and is not lost. */
  #end(call: Call, settle: () => void): void {
    call.over = settle
    // Who has lost interest need not wait for the answer, unless that may have taken something under a transaction.
    const { tx, signal } = call.find
    if (call.accepting || (call.searching && (tx !== undefined || !signal?.aborted))) {
      if (call.searching) setTimeout(() => this.#giveUp(call, settle), CONFIRM_MS).unref()
      return
    }
    if (!call.registered || call.wait.settled) return settle()
    // An entry that is in hand comes first; if that brings nothing, the wait ends then.
    const left = (): void => {
      clearTimeout(bound)
      if (!call.accepting) settle()
    }
    const bound = setTimeout(left, CONFIRM_MS)
    ask(this.#batches, 'endWait', { wait: call.wid }, { repeatable: true }).then(left, left)
  }

  /** What ended it while it was busy ends it now, if that brought nothing. */
  #endIfOver(call: Call): void {
    const { over } = call
    if (!over || call.accepting || call.searching) return
    call.over = undefined
    if (!call.wait.settled) this.#end(call, over)
  }

  /** The space does not answer. Whether a take has taken something nobody knows, so its transaction cannot be committed. */
  #giveUp(call: Call, settle: () => void): void {
    if (!call.searching || call.over !== settle) return
    const { take, tx = '' } = call.find
    if (take && this.#transactions.isTold(tx)) call.wait.reject(new SpaceError('OUTCOME_UNKNOWN'))
    else settle()
  }

  #leave(call: Call): void {
    ask(this.#batches, 'endWait', { wait: call.wid }, { repeatable: true }).catch(() => {
      // Without a link the space forgets the wait by itself.
    })
  }

  #giveBack(claim: string): void {
    if (!claim) return
    ask(this.#batches, 'giveBack', { claim, wait: '' }, { repeatable: true }).catch(() => {
      // Without a link it is given back by the next sync.
    })
  }
}

export const idOf = (claim: string): string => claim.slice(0, claim.indexOf(':'))

function foundIn({ values, now }: Reply): { claim: string; parsed: Parsed } {
  const [id, claim, record] = values
  return { claim: claim!.toString('latin1'), parsed: parseRecord(id!.toString('latin1'), record!, now) }
}

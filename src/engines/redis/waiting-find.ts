/**
 * A read or take that waits, from its first search to its end.
 *
 * | state        | enters                                       | leaves                                             |
 * |--------------|----------------------------------------------|----------------------------------------------------|
 * | unregistered | at first; a search failed for want of a      | searching, at once or when a link is there         |
 * |              | link; an entry in hand was not accepted      |                                                    |
 * | searching    | a search is sent, which may find an entry;   | found → accepting; in a queue → registered, or     |
 * |              | else the space puts the wait into a queue    | searching again if a push has come meanwhile;      |
 * |              |                                              | nothing to wait for → ended (null)                 |
 * | registered   | the space has the wait in a queue            | an entry comes → accepting; nothing to wait for    |
 * |              |                                              | any longer → ended (null); look again, or the end  |
 * |              |                                              | of the lease of a held match → searching; a new    |
 * |              |                                              | link → searching                                   |
 * | accepting    | an entry is in hand and is being             | accepted → ended (the entry); refused →            |
 * |              | acknowledged                                 | unregistered; failed → ended                       |
 * | ended        | the promise is settled                       | an entry that still comes is given back            |
 *
 * An entry that comes during a search is handled when the search is answered. The end of the time, or the signal,
 * takes effect at once in `unregistered`; in `registered` when the space has confirmed the end of the wait; in
 * `searching` and `accepting` afterwards, if they bring no entry: an entry in hand comes first.
 */
import { LONGEST_TIMER_MS } from '../../clock.js'
import type { Find, Stored } from '../../engine.js'
import { SpaceError } from '../../errors.js'
import { Wait } from '../../runtime/wait.js'
import { olderProcesses } from './older-processes.js'
import { REPLY } from './protocol.js'
import { type Parsed, parseRecord } from './record.js'
import type { Reply } from './wire/ask.js'

/** How long the space may take to confirm the end of a wait. */
const CONFIRM_MS = 1_000

/** The requests of a waiting find to the space. */
export interface FindPort {
  /** Searches, and puts the wait into a queue if nothing is found. */
  search(find: Find, wait: string): Promise<Reply>
  /** Returns the entry if it belongs to this find from now on; null if the find must go on. */
  accept(find: Find, claim: string, parsed: Parsed): Promise<Stored | null>
  giveBack(claim: string): void
  endWait(wait: string): Promise<unknown>
  /** Returns whether the space may have acted under this transaction. */
  isAnnounced(tx: string): boolean
}

interface Searching {
  readonly name: 'searching'
  /** The wait is in a queue already: this search is repeated for its transaction. */
  isRegistered: boolean
  /** A push has come since the search was sent, so the search must be repeated. */
  again: boolean
  /** Handles an entry that came since then. */
  handed: (() => void) | undefined
}

type State = { readonly name: 'unregistered' | 'registered' | 'accepting' } | Searching

const UNREGISTERED: State = { name: 'unregistered' }
const REGISTERED: State = { name: 'registered' }
const ACCEPTING: State = { name: 'accepting' }

export class WaitingFind {
  readonly find: Find
  readonly #id: string
  readonly #port: FindPort
  readonly #wait = new Wait<Stored | null>()
  #state: State = UNREGISTERED
  /** Searches again when the lease of a held match has ended (ifExists): no call may end this wait by then. */
  #lookTimer: NodeJS.Timeout | undefined
  /** Settles the wait; set once its time is over or its signal has fired. */
  #ending: (() => void) | undefined

  /** `id` names the wait in the space. */
  constructor(id: string, find: Find, port: FindPort) {
    this.#id = id
    this.find = find
    this.#port = port
  }

  start(): Promise<Stored | null> {
    const { waitMs, signal } = this.find
    this.#wait.until(
      waitMs,
      () => this.#end(() => this.#wait.resolve(null)),
      signal,
      () => this.#end(() => this.#wait.reject(signal?.reason)),
    )
    void this.#search()
    return this.#wait.promise.finally(() => clearTimeout(this.#lookTimer))
  }

  /** Handles an entry that was handed to a take (with its claim), or shown to a read (without one). */
  handed(id: string, claim: string, record: Buffer, now: number): void {
    const state = this.#state
    if (this.#wait.settled || state.name === 'accepting') this.#giveBack(claim)
    else if (state.name === 'searching') state.handed = () => this.handed(id, claim, record, now)
    else void this.#accept(claim, parseRecord(id, record, now))
  }

  /** Ends the find: no transaction holds a match any longer, so there is nothing to wait for. */
  missed(): void {
    if (this.#state.name === 'searching') this.#state.again = true
    else if (this.#state.name !== 'accepting') this.#wait.resolve(null)
  }

  /** Searches again: an entry has become free for this find's transaction only, or the lease of a held match ends earlier. */
  lookAgain(): void {
    if (this.#wait.settled) return
    if (this.#state.name === 'searching') this.#state.again = true
    else if (this.#state.name === 'registered') void this.#search()
  }

  /** Searches again over a new link: the space has forgotten the wait. */
  askAnew(): void {
    if (this.#state.name === 'searching') this.#state.isRegistered = false
    else if (this.#state.name === 'registered') this.#state = UNREGISTERED
    if (!this.#wait.settled && this.#state.name === 'unregistered') void this.#search()
  }

  get isRegistered(): boolean {
    return this.#state.name === 'registered'
  }

  close(): void {
    this.#wait.reject(new SpaceError('SPACE_CLOSED'))
  }

  async #search(): Promise<void> {
    const isRegistered = this.#state.name === 'registered'
    const searching: Searching = { name: 'searching', isRegistered, again: false, handed: undefined }
    this.#state = searching
    let reply: Reply | undefined
    try {
      reply = await this.#port.search(this.find, this.#id)
    } catch (error) {
      // A retryable error is followed by a search over the next link; any other error ends the wait.
      if (!(error instanceof SpaceError) || !error.retryable) {
        this.#wait.reject(error)
        if (searching.isRegistered) this.#leave()
      }
    }
    this.#state = searching.isRegistered ? REGISTERED : UNREGISTERED
    if (reply?.kind === REPLY.found) this.#found(reply)
    searching.handed?.()
    const isAccepting = this.#isAccepting
    if (reply?.kind === REPLY.waitingUntil) this.#lookAfter(reply)
    if (reply?.kind === REPLY.waiting || reply?.kind === REPLY.waitingUntil) this.#inQueue(searching.again)
    else if (reply?.kind === REPLY.failed && !isAccepting) this.#wait.reject(refusedBeside(reply))
    else if (reply?.kind === REPLY.none && !isAccepting) this.#wait.resolve(null)
    this.#endIfDue()
  }

  #lookAfter({ values, now }: Reply): void {
    const left = Math.max(Number(values[0]!.toString('latin1')) - now, 0)
    clearTimeout(this.#lookTimer)
    this.#lookTimer = setTimeout(() => this.lookAgain(), Math.min(left + 1, LONGEST_TIMER_MS)).unref()
  }

  // A getter: TypeScript would narrow the field to its last assignment, although calls in between change it.
  get #isAccepting(): boolean {
    return this.#state.name === 'accepting'
  }

  #found(reply: Reply): void {
    const { claim, parsed } = foundIn(reply)
    if (this.#wait.settled) this.#giveBack(claim)
    else void this.#accept(claim, parsed)
  }

  #inQueue(again: boolean): void {
    if (this.#wait.settled || this.#isAccepting) return this.#leave()
    this.#state = REGISTERED
    if (again) void this.#search()
  }

  async #accept(claim: string, parsed: Parsed): Promise<void> {
    this.#state = ACCEPTING
    try {
      const stored = await this.#port.accept(this.find, claim, parsed)
      if (stored) return this.#wait.resolve(stored)
      this.#state = UNREGISTERED
      if (this.#ending) this.#endIfDue()
      else void this.#search()
    } catch (error) {
      this.#wait.reject(error)
    }
  }

  #end(settle: () => void): void {
    this.#ending = settle
    const { tx, signal } = this.find
    const isSearching = this.#state.name === 'searching'
    // An aborted caller need not wait for the reply, unless the search may have taken an entry under a transaction.
    if (this.#isAccepting || (isSearching && (tx !== undefined || !signal?.aborted))) {
      if (isSearching) setTimeout(() => this.#giveUp(settle), CONFIRM_MS).unref()
      return
    }
    if (this.#state.name !== 'registered' || this.#wait.settled) return settle()
    // An entry in hand comes first; if it is not accepted, the wait ends then.
    const left = (): void => {
      clearTimeout(bound)
      if (!this.#isAccepting) settle()
    }
    const bound = setTimeout(left, CONFIRM_MS)
    this.#port.endWait(this.#id).then(left, left)
  }

  /** Ends the wait now if its time ended while it was searching or accepting. */
  #endIfDue(): void {
    const settle = this.#ending
    if (!settle || this.#isAccepting || this.#state.name === 'searching') return
    this.#ending = undefined
    if (!this.#wait.settled) this.#end(settle)
  }

  /**
   * Ends a wait that the space does not confirm. A take under a transaction may have taken an entry, so the
   * transaction must not be committed.
   */
  #giveUp(settle: () => void): void {
    if (this.#state.name !== 'searching' || this.#ending !== settle) return
    const { take, tx = '' } = this.find
    if (take && this.#port.isAnnounced(tx)) this.#wait.reject(new SpaceError('OUTCOME_UNKNOWN'))
    else settle()
  }

  #leave(): void {
    // Without a link the space forgets the wait by itself.
    this.#port.endWait(this.#id).catch(() => {})
  }

  #giveBack(claim: string): void {
    if (claim) this.#port.giveBack(claim)
  }
}

const refusedBeside = (reply: Reply): SpaceError =>
  olderProcesses(reply, 'They would not hand entries to a wait with conditions.')

/** Returns the entry that a search has found, and its claim ('' for a read or under a transaction). */
export function foundIn({ values, now }: Reply): { claim: string; parsed: Parsed } {
  const [id, claim, record] = values
  return { claim: claim!.toString('latin1'), parsed: parseRecord(id!.toString('latin1'), record!, now) }
}

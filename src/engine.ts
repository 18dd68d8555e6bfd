/**
 * The contract of an engine: what a store does for a Space, a gateway and a worker. An engine holds data access only;
 * validation, waiting policy and error texts are the Space's. It promises:
 *
 *   1. A written entry can be found until it is taken, cancelled or its lease ends; not longer.
 *   2. An entry has one holder. Operations of a former holder under its old claim are refused.
 *   3. When a holder is gone, the entries that it held can be found again.
 *   4. A waiting find is served by the call that makes its entry available; engines do not poll.
 *   5. Higher priority first, then oldest first. An entry that is put back keeps its position.
 *   6. A waiting find ends at its timeout, when its signal fires, or when the engine closes.
 *   7. close() always returns, and releases what this process held.
 *   8. Operations under a transaction become visible together, when it commits; otherwise its takes are undone. An
 *      entry that it has read cannot be taken by others meanwhile.
 *   9. Each change that a registration asked for is one event. Events are numbered without a gap; lost events are
 *      reported.
 *  10. Messages between processes arrive at most once and in order. The receiver is told when messages may have been
 *      lost.
 */

import type { Access } from './engine/access.js'
import type { Changes } from './engine/changes.js'
import type { Delivery, EncodedEntry, EncodedTemplate, SearchPlan, Stored } from './engine/entries.js'
import type { Move } from './engine/move.js'
import type { SessionEntries } from './engine/sessions.js'
import type { Tickets } from './engine/tickets.js'
import type { TransactionsOfAll } from './engine/transactions.js'
import type { TwoPhase } from './engine/two-phase.js'

export type {
  Delivery,
  EncodedCondition,
  EncodedEntry,
  EncodedTemplate,
  Operator,
  RequestTerms,
  SearchPlan,
  Stored,
} from './engine/entries.js'
export { ANY_KIND, CONTROL, DEAD_LETTER, OWN_KINDS } from './engine/entries.js'
export type { SeenTransaction, TransactionsOfAll } from './engine/transactions.js'

/**
 * The result of a write or a renewal: the end of the lease on the space's wall clock, ms since 1970; Infinity = never.
 */
export interface Grant {
  readonly expiresAt: number
}

export interface Find {
  readonly template: EncodedTemplate
  /** True removes the entry (take), false leaves it (read). */
  readonly take: boolean
  /** 0: do not wait. Infinity: for ever. */
  readonly waitMs: number
  readonly signal?: AbortSignal | undefined
  /** The transaction under which it is done. */
  readonly tx?: string | undefined
  /** Waits only while a match is held by a transaction. */
  readonly ifExists?: boolean
  /**
   * Returns whether the entry matches its schema. If not, the entry is moved to the dead letters and the find goes on.
   * An error that it throws ends the find.
   */
  readonly conforms?: (stored: Stored) => Promise<boolean>
  /** Called if this find, and no other that met the entry, moved it to the dead letters. */
  readonly onNonconforming?: (stored: Stored) => void
}

/**
 * The changes of an entry that a registration can ask for (JavaSpaces notify; JavaSpace05 availability events). An entry
 * that matches only since it was changed is `visible` and `available`, too.
 */
export type Transition = 'written' | 'visible' | 'available' | 'changed'

/**
 * Receives a piece of a message from another process; `isFirst` begins a message. Messages of different sources (default 0)
 * may come piece by piece at the same time.
 */
export type OnMessagePart = (part: Buffer, isFirst: boolean, source?: number) => void

/** A registration for events. */
export interface Interest {
  readonly templates: readonly EncodedTemplate[]
  /** `ended` exists for session entries only. */
  readonly on: Transition | 'ended'
  readonly leaseMs: number
  /** The transaction whose writes are reported too; the registration ends with it. */
  readonly tx?: string | undefined
  /** Sequence numbers rise by one, starting after that of the registration. */
  onEvent(entry: Stored, sequence: number): void
  /** `count` events, the last of them with this number, were lost. */
  onMissed(count: number, sequence: number): void
  /** The lease or the transaction has ended, or the space has lost the registration. */
  onEnded(): void
}

export interface Registered extends Grant {
  /** The id of its lease, for renew() and cancel(). */
  readonly id: string
  readonly sequence: number
}

/** Writes and the transaction that are committed atomically with a completion. */
export interface CompletionEffects {
  readonly entries: readonly EncodedEntry[]
  /** The transaction to commit. */
  readonly tx?: string
}

/** A standing take with credit: the number of deliveries that its process has room for (DESIGN §5). */
export interface Offer {
  /**
   * True while the store has the offer, as far as this process knows: false before the first reply, while the
   * connection is lost, and after the end.
   */
  readonly standing: boolean
  /** The deliveries that there is still room for, as far as this process knows. */
  readonly free: number
  /** Adds room for one delivery more. */
  addSlot(): Promise<void>
  /**
   * Removes room for one delivery. Returns false, without effect, if there is none left. A store that is away has lost
   * the slot when it is back.
   */
  withdrawSlot(): Promise<boolean>
  /** Ends the offer. When the promise resolves, no further delivery will come. */
  end(): Promise<void>
}

/** The outcome of a request that this process wrote. */
export type Outcome =
  | { readonly kind: 'completed'; readonly body: Buffer }
  /** The holder streams its response; the final outcome follows. May be reported more than once. */
  | { readonly kind: 'responseStarted'; readonly claim: string; readonly holder: string }
  /** The holder died after it had started, and the request may not run again. */
  | { readonly kind: 'lost' }
  /** The request was delivered as often as is allowed and never completed. */
  | { readonly kind: 'exhausted' }
  /** The request was completed, but too few replicas have confirmed that (DESIGN §6). */
  | { readonly kind: 'unconfirmed' }
  /**
   * The request is no longer in the space, and its outcome reached no process: this process was declared dead, or the
   * server lost its data.
   */
  | { readonly kind: 'unknown'; readonly remainingMs: number }

/** A page of a listing. */
export interface Page {
  readonly entries: readonly Listed[]
  /** The cursor for the next page; null after the last one. */
  readonly next: string | null
  /** Returns the cursor for what comes behind one of the entries, given its number in this page. */
  cursorAt(entry: number): string
}

export interface Listed extends Stored {
  /** How many holders have died with the entry. */
  readonly deaths: number
}

/** The free entries of a kind. */
export interface Backlog {
  readonly count: number
  /** Age of the oldest entry, in ms; 0 without entries. */
  readonly oldestMs: number
}

/** The state of the store and of the connection, as this process sees it. */
export interface Health {
  readonly connected: boolean
  /** Time since the last reply of the store, in ms. A process that is idle asks the store before it reports this. */
  readonly answeredMsAgo: number
  /** True if a write was refused within the last 3 s because the store is full. */
  readonly full: boolean
  /** The server's eviction policy, if it may evict entries; undefined if it does not, as is required. */
  readonly evicts?: string | undefined
  /** Records, bodies and messages that this process has found damaged. */
  readonly damaged: number
  /** True if an operation failed within the last 3 s because a key holds what takespace did not write. */
  readonly unusable: boolean
  /** Operations without a reply so far. */
  readonly queued: number
  /** Connections that replaced a lost one. */
  readonly reconnects: number
  /** Times that pushes to this process were lost, or it and the store disagreed on what it holds; both were mended. */
  readonly gaps: number
  /** Of the server that is fullest; undefined in memory, and until it is known. */
  readonly memory?: MemoryOfStore | undefined
}

export interface MemoryOfStore {
  readonly usedBytes: number
  /** 0: no limit is set. */
  readonly limitBytes: number
}

/** The result of a repair: entries that were compared, put back into their indexes, and set aside as damaged. */
export interface Repaired {
  readonly entries: number
  readonly restored: number
  readonly damaged: number
  /** In no index, and perhaps held: there are too many claims or transactions to tell. They were left as they are. */
  readonly unsure: number
}

export interface Engine {
  /** The durability level that the store really gives (DESIGN §6). */
  readonly durability: string
  /** The address of the server; undefined in memory. */
  readonly server?: string | undefined
  /** Settings beside the server's address: TLS, and the source of user and password. */
  readonly access?: Access | undefined
  /** The name of this process in the space; what it holds, it holds under this name. */
  readonly presence: string

  /**
   * True while the process can rely on what it holds: the lease of its presence cannot have ended in the store. False
   * after a freeze or an interruption that was longer than the lease, until the store has confirmed a renewal.
   */
  readonly isCertain: boolean

  /** True while the store can be asked at once: false without a connection. */
  readonly isReachable: boolean

  /** True while entries may move to other partitions: a listing may then meet an entry twice. */
  readonly isMoving?: boolean
  /** The move of the space to another server, if it moves. */
  readonly move?: Move

  /** Entries that are updated in place; engine/sessions.ts has the promises. */
  readonly sessions: SessionEntries

  /** Entries by their ids, changes in place, and clearing; engine/changes.ts has the promises. */
  readonly changes: Changes

  /**
   * Returns the entries under ids that tell where they are going to be written. Exists only in engines of several
   * partitions. Throws OTHER_PARTITION if they belong to several, or to another one than the transaction.
   */
  placed?(entries: readonly EncodedEntry[], tx?: string): readonly EncodedEntry[]

  // Every call that names a transaction rejects with TRANSACTION_ENDED, without effect, once the transaction has ended.

  /** Writes all entries or none, in this order. */
  write(entries: readonly EncodedEntry[], tx?: string): Promise<Grant[]>
  /** Returns the best match, or null at the end of the wait. A take is final when the promise resolves. */
  find(find: Find): Promise<Stored | null>
  /**
   * Returns the matches that are there, best first, at most `most`; does not wait. Rejects only if nothing was taken
   * before the error.
   */
  takeMany(find: Find, most: number): Promise<Stored[]>
  /** Returns null if the space knows no such lease. */
  renew(id: string, leaseMs: number): Promise<Grant | null>
  /** Returns false if the space knows no such lease. */
  cancel(id: string): Promise<boolean>

  /**
   * Begins a transaction; the space learns of it with its first operation. `onEnded` is called when the lease has ended
   * or the space has lost it. `near`: the delivery with whose completion it is to be committed. `spans`: it may have
   * effects in several partitions.
   */
  begin(leaseMs: number, onEnded: () => void, near?: Delivery, spans?: boolean): string
  renewTransaction(tx: string, leaseMs: number): Promise<Grant>
  /**
   * Commits all operations under the transaction together with these writes. When the promise resolves, they are
   * visible. Rejects with SPACE_FULL if there is no room; the transaction is then still open.
   */
  commit(tx: string, entries: readonly EncodedEntry[]): Promise<void>
  /** Undoes all operations under the transaction. */
  abort(tx: string): Promise<void>
  /** For operators: those of other processes, too. */
  readonly transactions: TransactionsOfAll
  /** Transactions with effects in other partitions, too. Exists only in engines that may be a partition. */
  readonly twoPhase?: TwoPhase

  /** Calls `onEvent` for each change of a match, once, however many of the templates match. */
  notify(interest: Interest): Promise<Registered>

  /**
   * Writes a request and resolves when the space has it. The outcome is reported to `onOutcome` once; `responseStarted`
   * may come before it, several times.
   */
  request(entry: EncodedEntry, onOutcome: (outcome: Outcome) => void): Promise<void>
  /** Withdraws a request: its process no longer waits, a late outcome is dropped. */
  withdraw(id: string): Promise<void>

  offer(template: EncodedTemplate, credit: number, onDelivery: (delivery: Delivery) => void): Promise<Offer>
  /**
   * Tells the space that the holder is about to start. Returns false if the claim is lost: the holder must not start.
   */
  start(delivery: Delivery): Promise<boolean>
  /**
   * Tells the space that the holder streams, for longer than the lease: it reads a streamed body, or writes a streamed
   * response (`answers`; its requester is told `responseStarted`). The request counts as started, has no successor, and
   * ends with its holder. Returns false if the claim is lost or no process waits for the response.
   */
  beginStreaming(delivery: Delivery, answers: boolean): Promise<boolean>
  /** Returns the holder's slot to its offer while the holder goes on; the completion then returns no credit. */
  releaseSlot(delivery: Delivery): Promise<void>
  /** Stops timing this request out by its lease: its holder is streaming. */
  awaitIndefinitely(id: string): void
  /**
   * Completes a delivery: ends the claim, returns `credit` (0 or 1) to the offer, and commits `along` with it. Returns
   * false if the claim was lost; then nothing has changed. Rejects with SPACE_FULL or TRANSACTION_ENDED because of
   * `along`; the delivery may then be completed without it.
   */
  complete(delivery: Delivery, body: Buffer, credit: number, along?: CompletionEffects): Promise<boolean>
  /** Gives the entry back, to its position or to a waiting process, and returns the credit to the offer. */
  release(delivery: Delivery): Promise<void>

  /** Releases all that a dead process held, without waiting until its lease ends. */
  declareDead(presence: string): Promise<void>
  /**
   * Hands nothing more to a process that does not answer until it does. What it was handed and has not started goes to
   * others: all but the ids in `running`; nothing if `running` is undefined (unknown).
   */
  suspend(presence: string, running: readonly string[] | undefined): Promise<void>

  /**
   * Sends a message, in parts, to another process. Returns false if no process has received it, or that is unknown.
   */
  post(presence: string, message: readonly Buffer[]): Promise<boolean>
  /**
   * Receives the messages to this process, in order; may be called once. `onPart` is called with each piece of a
   * message, whose memory is then the receiver's; `isFirst` begins a message, also if the one before is incomplete.
   * `onGap` is called when messages may have been lost. Resolves when messages can arrive.
   */
  hear(onPart: OnMessagePart, onGap: () => void): Promise<void>

  /** Moves an entry to the dead letters, for a week. Returns false if the entry is not there. */
  deadLetter(id: string, reason: string): Promise<boolean>
  /**
   * Returns a page of the free entries that match, in the order in which they would be taken. The template names one
   * kind, which may be an internal one. Rejects with INVALID_ARGUMENT if `after` is no cursor of this engine: cursors
   * come back from strangers.
   */
  list(template: EncodedTemplate, after: string | null, most: number, tx?: string): Promise<Page>
  /**
   * Returns the number of matches that `list` would return. If an index holds the matches and nothing else, entries whose
   * lease has ended and that were not swept yet count. The template names one kind.
   */
  count(template: EncodedTemplate): Promise<number>
  /** Returns how a search for a template goes now. The template names one kind. */
  plan(template: EncodedTemplate): Promise<SearchPlan>
  /**
   * Returns the number and age of the free entries of a template with at most one field. Entries whose lease has ended
   * and that were not swept yet may count.
   */
  backlog(template: EncodedTemplate): Promise<Backlog>
  /**
   * Returns the `field=token` by which standing offers choose among the entries of a template of one field; null if
   * there are too many waits to look through. Offers of a process that has just died may be included.
   */
  offered(template: EncodedTemplate): Promise<readonly string[] | null>
  /** Returns the root kinds of all entries, held ones included, each with the number of its free entries. */
  kinds(): Promise<ReadonlyMap<string, number>>

  /** Requests whose outcomes are stored. */
  readonly tickets: Tickets

  /** Always resolves, within a second. */
  health(): Promise<Health>

  /** Compares what is stored with its indexes, restores them, and has all processes register their waits anew. */
  repair(): Promise<Repaired>

  close(): Promise<void>
}

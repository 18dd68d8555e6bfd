/**
 * The contract of an engine: what a store must do so that a Space, a gateway and a worker can stand on it.
 * An engine holds data access only; validation, waiting policy and errors for people are the Space's. It promises:
 *
 *  1. A written entry can be found until it is taken, cancelled or its lease ends, exactly.
 *  2. An entry has one holder. What a former holder does under its old claim is refused.
 *  3. What a holder held is found again when the holder is gone.
 *  4. A waiting find is served by the call that makes its entry available; nobody asks twice.
 *  5. Higher priority first, then oldest first. What is put back keeps its place.
 *  6. A find that waits ends when its time is up, when its signal fires, or when the engine closes.
 *  7. close() always returns, and gives back what this process held.
 *  8. What is done under a transaction is seen by nobody else until it commits, then all at once; what it took comes back when it does
 *     not. What it read nobody else takes meanwhile.
 *  9. Of each change that somebody asked for, one event is sent, and numbered without a gap; a loss is told.
 * 10. Messages from process to process come at most once and in order, and whenever some may have been lost, their receiver is told.
 */

import type { Delivery, EncodedEntry, EncodedTemplate, Stored } from './engine/entries.js'
import type { SessionEntries } from './engine/sessions.js'
import type { Tickets } from './engine/tickets.js'

export type { Delivery, EncodedEntry, EncodedTemplate, RequestTerms, Stored } from './engine/entries.js'
export { ANY_KIND, DEAD_LETTER, OWN_KINDS } from './engine/entries.js'

/** What a write or a renewal granted: when the lease ends, on the space's wall clock; Infinity = never. */
export interface Grant {
  readonly expiresAt: number
}

export interface Find {
  readonly template: EncodedTemplate
  /** Whether the entry is removed (take) or stays (read). */
  readonly take: boolean
  /** 0: do not wait. Infinity: for ever. */
  readonly waitMs: number
  readonly signal?: AbortSignal | undefined
  /** The transaction under which it is done. */
  readonly tx?: string | undefined
  /** Waits only as long as a match is there that a transaction holds. */
  readonly ifExists?: boolean
  /** Whether what was found is what it should be; if not, it is set aside, and the find goes on. What it throws ends the find. */
  readonly conforms?: (stored: Stored) => Promise<boolean>
  /** It was set aside by this find, and not by another one that met it. */
  readonly onNonconforming?: (stored: Stored) => void
}

/** The changes of an entry that somebody may ask to be told of (JavaSpaces notify; JavaSpace05 availability events). */
export type Transition = 'written' | 'visible' | 'available'

/** What somebody asks to be told of. */
export interface Interest {
  readonly templates: readonly EncodedTemplate[]
  /** `ended`: of session entries alone. */
  readonly on: Transition | 'ended'
  readonly leaseMs: number
  /** The transaction whose writes it sees, too, and with which it ends. */
  readonly tx?: string | undefined
  /** Numbers rise by one, starting right after that of the registration. */
  onEvent(entry: Stored, sequence: number): void
  /** So many events, the last of them of this number, were lost on their way. */
  onMissed(count: number, sequence: number): void
  /** Its lease or its transaction has ended, or the space has forgotten it. */
  onEnded(): void
}

export interface Registered extends Grant {
  /** For its lease: renew() and cancel() take it as they take an entry's. */
  readonly id: string
  readonly sequence: number
}

/** What becomes so together with an answer. */
export interface CompletionEffects {
  readonly entries: readonly EncodedEntry[]
  /** Committed with it, if anything was done under it. */
  readonly tx?: string
}

/** A standing take with credit: how many deliveries its process has room for (DESIGN §5, a hand-off, not a queue poll). */
export interface Offer {
  /** Whether the store has it, as far as this process knows: not before the first answer, not without a link, not once it has ended. */
  readonly standing: boolean
  /** Ends the offer. When it resolves no further delivery will come. */
  end(): Promise<void>
}

/** What became of a request that this process wrote. */
export type Outcome =
  | { readonly kind: 'completed'; readonly body: Buffer }
  /** Its holder answers from now on, for as long as that takes; what became of it comes after this. May be told more than once. */
  | { readonly kind: 'responseStarted'; readonly claim: string; readonly holder: string }
  /** Its holder died after starting, and it may not be run again. */
  | { readonly kind: 'lost' }
  /** It was delivered as often as is allowed and never completed. */
  | { readonly kind: 'exhausted' }
  /** This process had been taken for dead, or the server has forgotten: it is not there any more, and what became of it reached nobody. */
  | { readonly kind: 'unknown'; readonly remainingMs: number }

/** A part of a listing. */
export interface Page {
  readonly entries: readonly Listed[]
  /** Where to go on; null: that was all. */
  readonly next: string | null
}

export interface Listed extends Stored {
  /** How often it was handed out and not completed. */
  readonly deaths: number
}

/** What of a kind is free. */
export interface Backlog {
  readonly count: number
  /** Since the oldest of it was written; 0 when there is none. */
  readonly oldestMs: number
}

/** How the store and the way to it are doing, as this process sees it. */
export interface Health {
  readonly connected: boolean
  /** How long ago the store last answered; a quiet process asks it something before it says so. */
  readonly answeredMsAgo: number
  /** Whether a write was refused just now because the store is full. */
  readonly full: boolean
  /** The policy by which the store throws entries away when it is full; undefined: it does not, as it must be. */
  readonly evicts?: string | undefined
  /** Operations that have not been answered yet. */
  readonly queued: number
  /** Links that replaced a lost one. */
  readonly reconnects: number
}

export interface Engine {
  /** The durability level that the store really gives (DESIGN §6). */
  readonly durability: string
  /** The address of the server, where there is one. */
  readonly server?: string | undefined
  /** This process in the space; what it holds is held under this name. */
  readonly presence: string

  /** Entries that are changed in place (session/entries.ts has the promises). */
  readonly sessions: SessionEntries

  // Whatever names a transaction rejects with TRANSACTION_ENDED once that has ended, and nothing is done.

  /** Stores all or none, in this order. */
  write(entries: readonly EncodedEntry[], tx?: string): Promise<Grant[]>
  /** The best match, or null when the wait is over. A take is final when this resolves. */
  find(find: Find): Promise<Stored | null>
  /** What is there, the best first, up to `most`; it waits for nothing. An error is told only if nothing was taken before it. */
  takeMany(find: Find, most: number): Promise<Stored[]>
  /** null: the space knows no such lease. */
  renew(id: string, leaseMs: number): Promise<Grant | null>
  /** false: the space knows no such lease. */
  cancel(id: string): Promise<boolean>

  /** A transaction: the space hears of it with its first operation. `onEnded` hears that its lease has ended, or the space forgot it. */
  begin(leaseMs: number, onEnded: () => void): string
  renewTransaction(tx: string, leaseMs: number): Promise<Grant>
  /**
   * All that was done under it becomes so, at once, and these entries are written with it; when it resolves, it is. Rejects with SPACE_FULL if
   * that is why it cannot be; then it is open still.
   */
  commit(tx: string, entries: readonly EncodedEntry[]): Promise<void>
  /** Nothing that was done under it ever was. */
  abort(tx: string): Promise<void>

  /** From now on `onEvent` is told of each change of a match; once for each, however many of the templates match. */
  notify(interest: Interest): Promise<Registered>

  /** Writes a request whose outcome is reported to `onOutcome`, at most once but for `begun`; resolves when the space has it. */
  request(entry: EncodedEntry, onOutcome: (outcome: Outcome) => void): Promise<void>
  /** Nobody waits for this outcome any longer: the request is withdrawn, its late outcome dropped. */
  withdraw(id: string): Promise<void>

  offer(template: EncodedTemplate, credit: number, onDelivery: (delivery: Delivery) => void): Promise<Offer>
  /** The holder is about to do what may not be done twice. false: the claim is lost, do nothing. */
  start(delivery: Delivery): Promise<boolean>
  /**
   * The holder goes on for longer than any lease: what it is given comes bit by bit, or its answer does (`answers`; its requester hears `begun`).
   * From now on it counts as started and has no successor, and its request ends with it. false: the claim is lost, or nobody waits.
   */
  beginStreaming(delivery: Delivery, answers: boolean): Promise<boolean>
  /** The holder goes on without its place: its offer has room for another one, and the completion gives none back. */
  releaseSlot(delivery: Delivery): Promise<void>
  /** Whoever wrote this request knows that its holder goes on for longer than its lease. */
  awaitIndefinitely(id: string): void
  /**
   * The holder's answer; ends the claim and gives `credit` (0 or 1) back to the offer. What goes along becomes so with it. false: refused,
   * the claim was lost, nothing of it is so. Rejects with SPACE_FULL or TRANSACTION_ENDED if that is why; then it may be given without.
   */
  complete(delivery: Delivery, body: Buffer, credit: number, along?: CompletionEffects): Promise<boolean>
  /** Gives the entry back unfinished: to its old place, and to whoever waits. The offer has room again. */
  release(delivery: Delivery): Promise<void>

  /** Whoever saw a process die says so: what it held is given back without waiting for the space to notice. */
  declareDead(presence: string): Promise<void>
  /**
   * Whoever sees that a process does not answer says so: nothing more is handed to it until it answers again, and what it was handed
   * and has not begun goes to others. `begun`: the ids that it has; undefined: nobody knows, so nothing is taken from it.
   */
  suspend(presence: string, running: readonly string[] | undefined): Promise<void>

  /** Hands a message to another process. false: nobody there has heard it, or nobody knows. */
  post(presence: string, message: Buffer): Promise<boolean>
  /** From now on messages to this process come; `onGap` hears that some may have been lost. Resolves when they can come. Once. */
  hear(onMessage: (message: Buffer) => void, onGap: () => void): Promise<void>

  /** Keeps it for a week as a dead letter, out of everybody's way. false: it is not there. */
  deadLetter(id: string, reason: string): Promise<boolean>
  /** A page of the free entries that match, in the order of their places. The template names one kind; an own one, if need be. */
  list(template: EncodedTemplate, after: string | null, most: number, tx?: string): Promise<Page>
  /** How much there is to a template with at most one field. What has ended and was not swept yet may count. */
  backlog(template: EncodedTemplate): Promise<Backlog>
  /**
   * By which `field=token` the standing offers choose among the entries of a template of one field. null: too many waits to look through. Those
   * of a process that has just died may be among them.
   */
  offered(template: EncodedTemplate): Promise<readonly string[] | null>
  /** The root kinds, each with the number of its free entries. */
  kinds(): Promise<ReadonlyMap<string, number>>

  /** Requests whose outcomes are kept. */
  readonly tickets: Tickets

  /** Always resolves, within a second. */
  health(): Promise<Health>

  close(): Promise<void>
}

/** Tickets: the part of an engine's contract that keeps what becomes of a request, whoever asked for it and whoever is left to ask. */
import { type Delivery, type EncodedEntry, OWN_KINDS } from './entries.js'

/** The root of all tickets; those that nothing has become of yet; and those that have an outcome. */
export const TICKET = `${OWN_KINDS}Ticket`
export const PENDING = `${OWN_KINDS}Pending`
export const RESULT = `${OWN_KINDS}Result`

/** Which outcome it is: the first kind of a RESULT. */
export const COMPLETED = `${OWN_KINDS}Completed`
export const LOST = `${OWN_KINDS}Lost`
export const EXHAUSTED = `${OWN_KINDS}Exhausted`
export const CANCELLED = `${OWN_KINDS}Cancelled`

/** The id of a request that settles a ticket is the ticket's, a dot, and something of its own. */
export const ticketOf = (requestId: string): string => requestId.slice(0, Math.max(requestId.indexOf('.'), 0))

/** A note is a few words about how far it is. */
export const LARGEST_PROGRESS = 2048

export interface TicketTerms {
  /** 1 to 40 characters, without a dot. */
  readonly id: string
  /** What was asked for, as one short word: who asks again under this id has to ask for the same. */
  readonly fingerprint: string
  /** How long it stays when nothing becomes of it. */
  readonly leaseMs: number
  /** How long its outcome is kept, from when that is there. Finite. */
  readonly keptMs: number
  /** Refused if the tickets in the space take more bytes with this one. What those under way will answer is not known, and not counted. */
  readonly maxBytes: number
  /** Whose it is, for one who is told of the notes of many. */
  readonly group?: string | undefined
}

/**
 * opened: it and the entry were written. For all else they were there before, and nothing was done: joined, and whoever waited for it is gone,
 * so this process is the one that waits now, or its outcome is there already; busy, and another one waits; differs, and something else
 * was asked for.
 */
export type Opening = 'opened' | 'joined' | 'busy' | 'differs'

export interface TicketState {
  /** waiting: its request is free; running: somebody holds it; absent: it is not in the space (any longer); settled: there is an outcome. */
  readonly state: 'waiting' | 'running' | 'absent' | 'settled'
  /** Until its lease ends. */
  readonly remainingMs: number
  /** What leads to its outcome; empty once that is there. */
  readonly requestId: string
  /** How many holders have died with its request. */
  readonly deaths: number
  /** What was noted last, by whoever works on it. */
  readonly progress: Buffer
}

export interface Tickets {
  /**
   * Opens a ticket together with the entry that will lead to its outcome, in one step. If that is a request, its outcome settles the ticket
   * and is told to nobody else, and the request stays though its requester is gone.
   *
   * @throws SpaceError SPACE_FULL
   */
  open(ticket: TicketTerms, entry: EncodedEntry): Promise<Opening>
  /** The outcome is there; null: cancelled, its request is withdrawn and whoever holds that is told. false: it was settled before, or is not there. */
  settle(id: string, outcome: Buffer | null): Promise<boolean>
  /** Says how far it is, to whoever asks and whoever is told of notes. false: it is settled, or not there. */
  recordProgress(id: string, progress: Buffer): Promise<boolean>
  /** The same by whoever holds its request. false: the claim is lost. */
  reportProgress(delivery: Delivery, progress: Buffer): Promise<boolean>
  /** This process waits for it no longer, so that the next one who asks joins it. */
  leave(id: string): Promise<void>
  /** null: there is no such ticket. */
  look(id: string): Promise<TicketState | null>
}

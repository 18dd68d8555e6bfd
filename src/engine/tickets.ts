/**
 * Tickets: the part of an engine's contract that stores the outcomes of requests, beyond the life of the process that
 * asked.
 */
import { SpaceError } from '../errors.js'
import { type Delivery, type EncodedEntry, OWN_KINDS, type Stored } from './entries.js'

/** The root kind of tickets; tickets without an outcome; tickets with one. */
export const TICKET = `${OWN_KINDS}Ticket`
export const PENDING = `${OWN_KINDS}Pending`
export const RESULT = `${OWN_KINDS}Result`

/** The first kind of a RESULT says which outcome it is. */
export const COMPLETED = `${OWN_KINDS}Completed`
export const LOST = `${OWN_KINDS}Lost`
export const EXHAUSTED = `${OWN_KINDS}Exhausted`
export const CANCELLED = `${OWN_KINDS}Cancelled`

/** Returns the ticket id in the id of a request that settles a ticket: `<ticket>.<suffix>`; '' for other requests. */
export const ticketOf = (requestId: string): string => requestId.slice(0, Math.max(requestId.indexOf('.'), 0))

/** Bytes that Redis takes for a stored outcome beside its record: its id, the lists of the sweep, rounding. */
export const BESIDE_OUTCOME = 120

/**
 * The cause of SPACE_FULL if tickets have no room: all of them, or those of one owner, who may take half of the rest.
 */
export interface TicketsFull {
  readonly full: 'tickets' | 'share'
}

/** Returns SPACE_FULL that says what is full. */
export function ticketsFull(full: TicketsFull['full'], maxBytes: number): SpaceError {
  const whose = full === 'share' ? 'One owner has taken the share' : 'Tickets and their outcomes take all'
  return new SpaceError('SPACE_FULL', `${whose} of the ${maxBytes} bytes for stored outcomes.`, { cause: { full } })
}

/** Maximum bytes of a progress report. */
export const LARGEST_PROGRESS = 2048

export interface TicketTerms {
  /** 1 to 40 characters, without a dot. */
  readonly id: string
  /** A digest of what was asked for: a second opening under this id must have the same. */
  readonly fingerprint: string
  /** How long the ticket stays without an outcome, in ms. */
  readonly leaseMs: number
  /** How long its outcome is stored, in ms; finite. */
  readonly keptMs: number
  /**
   * Maximum bytes of all tickets in the space, as Redis stores them; an opening beyond it is refused. Outcomes still to
   * come are not counted.
   */
  readonly maxBytes: number
  /**
   * A digest of who pays for it: the tickets of one owner take at most as much as is left for the others. Default: no
   * owner, no share.
   */
  readonly owner?: string | undefined
  /** A group, by which a listener asks for the progress of many tickets. */
  readonly group?: string | undefined
}

/**
 * opened: the ticket and the entry were written. Otherwise the ticket existed and nothing was done. joined: it has an
 * outcome, or its waiting process is gone and this process waits in its place. busy: another process waits. differs:
 * the fingerprint is another one.
 */
export type Opening = 'opened' | 'joined' | 'busy' | 'differs'

export interface TicketState {
  /**
   * waiting: its request is free; running: its request is held; absent: its request is not in the space; settled: there
   * is an outcome.
   */
  readonly state: 'waiting' | 'running' | 'absent' | 'settled'
  /** Rest of its lease, in ms. */
  readonly remainingMs: number
  /** The id of the entry that will settle it; '' once it is settled. */
  readonly requestId: string
  /** How many holders have died with its request. */
  readonly deaths: number
  /** The last progress report. */
  readonly progress: Buffer
}

export interface SettledPage {
  readonly tickets: readonly Stored[]
  /** Null after the last page. */
  readonly next: string | null
}

export interface Tickets {
  /**
   * Opens a ticket together with the entry that will lead to its outcome, in one step. If the entry is a request, its
   * outcome settles the ticket and is reported to no process; the request outlives the process that wrote it.
   *
   * @throws SpaceError SPACE_FULL, with TicketsFull as its cause if it is the tickets that have no room
   */
  open(ticket: TicketTerms, entry: EncodedEntry): Promise<Opening>
  /**
   * Settles the ticket; null cancels it, withdraws its request and tells the holder. Returns false if the ticket was
   * settled before or does not exist.
   */
  settle(id: string, outcome: Buffer | null): Promise<boolean>
  /** Stores a progress report and sends it to listeners. Returns false if the ticket is settled or does not exist. */
  recordProgress(id: string, progress: Buffer): Promise<boolean>
  /** The same from the holder of its request. Returns false if the claim is lost. */
  reportProgress(delivery: Delivery, progress: Buffer): Promise<boolean>
  /** This process no longer waits for the ticket; the next one that asks joins it. */
  leave(id: string): Promise<void>
  /** Returns null if there is no such ticket. */
  look(id: string): Promise<TicketState | null>
  /**
   * Returns a page of the tickets that have an outcome, in no order: tickets are in no index, so all entries are looked
   * through, some hundred in a call. A page may be empty. The body of a large outcome is left out.
   *
   * @param after '' at first, then `next` of the page before
   */
  settled(after: string): Promise<SettledPage>
}

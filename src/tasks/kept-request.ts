/**
 * A request whose outcome is stored: answered once, however often and wherever it is sent. It runs again only if its
 * worker died.
 */

import { monotonicMs } from '../clock.js'
import type { TicketTerms } from '../engine/tickets.js'
import type { Stored } from '../engine.js'
import { resultTemplate } from '../entry/ticket.js'
import { isSpaceError, SpaceError } from '../errors.js'
import { type HttpRequest, type HttpResponse, requestEntry, type SendOptions } from '../request.js'
import type { Space } from '../space.js'
import { answerIn } from './outcome.js'

/** A worker that is cut at the deadline still answers, a little later. */
const AFTERWARDS_MS = 3_000

export interface KeptAnswer {
  readonly response: HttpResponse
  /** When the answer was stored: ms since 1970 on the space's clock. */
  readonly writtenAt: number
}

/**
 * Opens a ticket with the request, unless there is one, and waits for its outcome.
 *
 * @param signal ends the wait, not the request
 * @returns the answer, the same for all who ask; `busy` if another process waits for it; `differs` if the ticket is of
 *   another request
 * @throws signal.reason; SpaceError REQUEST_TIMEOUT, SPACE_FULL, DELIVERIES_EXHAUSTED, WORKER_LOST, …
 */
export async function answerOnce(
  space: Space,
  ticket: Omit<TicketTerms, 'leaseMs'>,
  request: HttpRequest,
  terms: SendOptions,
  signal: AbortSignal,
): Promise<KeptAnswer | 'busy' | 'differs'> {
  const endsAt = monotonicMs() + terms.timeoutMs
  for (;;) {
    const entry = requestEntry(`${ticket.id}.${space.newId()}`, request, { ...terms, repeatable: true })
    const opening = await space.engine.tickets.open({ ...ticket, leaseMs: terms.timeoutMs + AFTERWARDS_MS }, entry)
    if (opening === 'differs' || opening === 'busy') return opening
    const found = await outcomeOf(space, ticket.id, opening === 'joined', endsAt, signal)
    if (found) return { response: answerIn(found), writtenAt: found.writtenAt }
  }
}

/**
 * Returns the outcome of a ticket; undefined if the ticket was there before (`isOld`) and its lease has ended meanwhile: then the request
 * is asked as for the first time. Waits until `endsAt`, on the clock of monotonicMs.
 */
async function outcomeOf(
  { engine }: Space,
  id: string,
  isOld: boolean,
  endsAt: number,
  signal: AbortSignal,
): Promise<Stored | undefined> {
  const template = resultTemplate(id)
  const leftMs = (): number => Math.max(endsAt - monotonicMs(), 0)
  try {
    signal.throwIfAborted()
    if (isOld) {
      const kept = await engine.find({ template, take: false, waitMs: 0 })
      if (kept) return kept
    }
    // After the lease no outcome can come.
    const lastsMs = isOld ? ((await engine.tickets.look(id))?.remainingMs ?? 0) : Number.POSITIVE_INFINITY
    signal.throwIfAborted()
    const found = await engine.find({ template, take: false, waitMs: Math.min(leftMs(), Math.max(lastsMs, 0)), signal })
    if (found) return found
    if (isOld && leftMs() > 0) return undefined
    throw new SpaceError('REQUEST_TIMEOUT')
  } catch (error) {
    // The next process that asks waits instead of this one.
    if (signal.aborted || isSpaceError(error, 'REQUEST_TIMEOUT')) engine.tickets.leave(id).catch(() => {})
    throw error
  }
}

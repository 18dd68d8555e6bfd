/**
 * A request whose outcome is stored: answered once, however often and wherever it is sent. It runs again only if its
 * worker died.
 */

import type { TicketTerms } from '../engine/tickets.js'
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
  const { id } = ticket
  const { tickets } = space.engine
  const entry = requestEntry(`${id}.${space.newId()}`, request, { ...terms, repeatable: true })
  const opening = await tickets.open({ ...ticket, leaseMs: terms.timeoutMs + AFTERWARDS_MS }, entry)
  if (opening === 'differs' || opening === 'busy') return opening
  try {
    signal.throwIfAborted()
    const find = { template: resultTemplate(id), take: false, waitMs: terms.timeoutMs, signal }
    const found = await space.engine.find(find)
    if (!found) throw new SpaceError('REQUEST_TIMEOUT')
    return { response: answerIn(found), writtenAt: found.writtenAt }
  } catch (error) {
    // The next process that asks waits instead of this one.
    if (signal.aborted || isSpaceError(error, 'REQUEST_TIMEOUT')) tickets.leave(id).catch(() => {})
    throw error
  }
}

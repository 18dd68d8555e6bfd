/** The outcome of a ticket: the worker's response, or an error in its place. */

import { CANCELLED, COMPLETED, EXHAUSTED, LOST } from '../engine/tickets.js'
import type { Stored } from '../engine.js'
import { SpaceError } from '../errors.js'
import { decodeResponse, type HttpResponse } from '../request/message.js'

/**
 * Returns the worker's response. @throws SpaceError WORKER_LOST, DELIVERIES_EXHAUSTED, TICKET_CANCELLED, BAD_RESPONSE
 */
export function answerIn({ kinds, body }: Stored): HttpResponse {
  switch (kinds[0]) {
    case COMPLETED:
      try {
        return decodeResponse(body)
      } catch (cause) {
        throw new SpaceError('BAD_RESPONSE', '', { cause })
      }
    case LOST:
      throw new SpaceError('WORKER_LOST')
    case EXHAUSTED:
      throw new SpaceError('DELIVERIES_EXHAUSTED')
    case CANCELLED:
      throw new SpaceError('TICKET_CANCELLED')
    default:
      throw new SpaceError('BAD_RESPONSE')
  }
}

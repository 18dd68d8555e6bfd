/**
 * A request with an Idempotency-Key: answered once, by any gateway and however often it is sent; its answer is stored
 * and given again. It runs again only if its worker died.
 */
import type { IncomingMessage } from 'node:http'
import type { TicketsFull } from '../src/engine/tickets.js'
import { isSpaceError } from '../src/errors.js'
import { clientOf, type HttpRequest, type HttpResponse, type SendOptions } from '../src/request.js'
import type { Space } from '../src/space.js'
import { answerOnce } from '../src/tasks/kept-request.js'
import { CLIENT_GONE, type Received, readRest } from './body.js'
import { digestOfParts, joinedFields } from './idempotency-key.js'
import type { BodyLimits } from './limits.js'
import type { IdempotencyOptions } from './options.js'
import { KEY_IN_USE, KEY_REUSED, KEY_SHARE_FULL, KEYS_FULL } from './refusals.js'
import type { Uploads } from './uploads.js'

/** The part of an exchange that is needed here. */
interface Asking {
  readonly req: IncomingMessage
  readonly edge: { readonly space: Space; readonly idempotency: Required<IdempotencyOptions> }
  /** The ticket of the answer. */
  entryId: string
}

/** A keyed request is compared as a whole, so its body is read as a whole. */
const LARGEST_KEYED = 16 * 1024 * 1024

/** Returns the complete body of a keyed request. */
export const receiveAll = (
  req: IncomingMessage,
  first: Received,
  limits: BodyLimits,
  held: { bytes: number },
  uploads: Uploads,
) => readRest(req, first, limits, held, LARGEST_KEYED, uploads)

/**
 * Returns the answer, the same for each request with this key.
 *
 * @throws Refusal KEY_IN_USE if another gateway waits for the answer, KEY_REUSED if the key belongs to another request,
 *   KEY_SHARE_FULL or KEYS_FULL if no more answers can be stored; CLIENT_GONE (the request goes on); SpaceError REQUEST_TIMEOUT, SPACE_FULL, DELIVERIES_EXHAUSTED, …
 */
export async function askOnce(
  exchange: Asking,
  key: string,
  request: HttpRequest,
  terms: SendOptions,
): Promise<HttpResponse> {
  const { req, edge } = exchange
  const { space, idempotency } = edge
  const { leaseMs, maxBytes, principalOf } = idempotency
  const { method, target, headers, body } = request
  const fields = joinedFields(headers)
  const principal = principalOf(fields, clientOf(request))
  const id = `k${digestOfParts('http', terms.service, principal, key)}`
  const fingerprint = digestOfParts(method, target, fields['content-type'] ?? '', body)
  exchange.entryId = id
  const gone = new AbortController()
  const onGone = (): void => gone.abort(CLIENT_GONE)
  if (req.socket.destroyed) onGone()
  else req.socket.once('close', onGone)
  try {
    const ticket = { id, fingerprint, keptMs: leaseMs, maxBytes, owner: digestOfParts('principal', principal) }
    const answer = await answerOnce(space, ticket, request, terms, gone.signal)
    if (answer === 'differs') throw KEY_REUSED
    if (answer === 'busy') throw KEY_IN_USE
    return withDate(answer.response, answer.writtenAt)
  } catch (error) {
    const full = isSpaceError(error, 'SPACE_FULL') ? (error.cause as Partial<TicketsFull> | undefined)?.full : undefined
    if (full === undefined) throw error
    throw full === 'share' ? KEY_SHARE_FULL : KEYS_FULL
  } finally {
    req.socket.off('close', onGone)
  }
}

/** A repeated answer has the same bytes: without this field each gateway would add the time of its own response. */
function withDate(response: HttpResponse, writtenAt: number): HttpResponse {
  const { headers } = response
  if (headers.some((name, i) => i % 2 === 0 && name.toLowerCase() === 'date')) return response
  return { ...response, headers: [...headers, 'Date', new Date(writtenAt).toUTCString()] }
}

/** Refusals: the error responses of a gateway, each with a status, a code and a sentence that says what to do. */
import { STATUS_CODES } from 'node:http'
import type { ErrorCode } from '../src/errors.js'
import { isSpaceError } from '../src/errors.js'

/** Thrown by the steps of an exchange. Not an Error: it needs no stack. */
export class Refusal {
  constructor(
    readonly status: number,
    readonly code: string,
    /** For the client: what was wrong and what to do; nothing internal. */
    readonly message: string,
    /** True closes the connection: it is out of step, or has an unread body. */
    readonly close = false,
  ) {}
}

const bad = (code: string, message: string): Refusal => new Refusal(400, code, message, true)

export const HOST_INVALID = bad('HOST_INVALID', 'Send exactly one Host header with a host name and an optional port.')
export const TARGET_INVALID = bad('TARGET_INVALID', 'Send a request target that begins with a slash.')
export const LENGTH_INVALID = bad('LENGTH_INVALID', 'Send Content-Length as a plain decimal number.')
export const CODING_INVALID = bad('CODING_INVALID', 'Send Transfer-Encoding: chunked, or none.')
export const CODING_UNKNOWN = new Refusal(501, 'CODING_UNKNOWN', 'The only transfer coding known is chunked.', true)
export const METHOD_UNKNOWN = new Refusal(501, 'METHOD_UNKNOWN', 'This method is not served.', true)
export const EXPECTATION_UNKNOWN = new Refusal(417, 'EXPECTATION_UNKNOWN', 'Only Expect: 100-continue is met.', true)
export const MALFORMED = bad('MALFORMED', 'The request is not valid HTTP.')
export const VERSION_UNKNOWN = new Refusal(505, 'VERSION_UNKNOWN', 'Only HTTP/1.1 and HTTP/1.0 are served here.', true)
export const HEADERS_TOO_LARGE = new Refusal(431, 'HEADERS_TOO_LARGE', 'Send at most 16 KiB of header lines.', true)
export const HEADERS_TOO_MANY = new Refusal(431, 'HEADERS_TOO_MANY', 'Send at most 100 header lines.', true)
export const UPGRADE_METHOD = new Refusal(405, 'UPGRADE_METHOD', 'A WebSocket begins with GET.', true)
export const UPGRADE_INVALID = bad(
  'UPGRADE_INVALID',
  'Send a Sec-WebSocket-Key of 16 bytes in base64, and Sec-WebSocket-Version: 13.',
)
export const UPGRADE_REQUIRED = new Refusal(
  426,
  'UPGRADE_REQUIRED',
  'Only a WebSocket is served here, by HTTP/1.1 and Upgrade: websocket.',
  true,
)
/** `setting` names the option of the limit, or its purpose. */
export const bodyTooLarge = (maxBytes: number, setting: string): Refusal =>
  new Refusal(413, 'BODY_TOO_LARGE', `The body is larger than ${maxBytes} bytes (${setting}).`, true)
export const BODY_TOO_SLOW = new Refusal(
  408,
  'BODY_TOO_SLOW',
  'The request did not arrive in time. Send it again.',
  true,
)
export const KEY_INVALID = new Refusal(
  400,
  'KEY_INVALID',
  'Send one Idempotency-Key of 1 to 255 visible ASCII characters, in double quotes or without.',
)
export const KEY_IN_USE = new Refusal(
  409,
  'KEY_IN_USE',
  'A request with this Idempotency-Key is being answered. Ask again shortly for its answer.',
)
export const KEY_REUSED = new Refusal(
  422,
  'KEY_REUSED',
  'This Idempotency-Key was used for a request with another method, target or body. Use a new one.',
)
export const KEYS_FULL = new Refusal(
  503,
  'KEYS_FULL',
  'No more answers can be stored for Idempotency-Keys. The request was not run; try again later, or without a key.',
)
export const KEY_SHARE_FULL = new Refusal(
  503,
  'KEY_SHARE_FULL',
  'This client has stored as many answers under its Idempotency-Keys as one may. The request was not run; try again when some have expired, or without a key.',
)
export const NO_SERVICE = new Refusal(404, 'NO_SERVICE', 'No service answers for this path.')
export const NO_WORKER = new Refusal(
  503,
  'NO_WORKER',
  'No process that serves this path is running. The request was not run; try again shortly.',
)
export const SERVICE_PAUSED = new Refusal(
  503,
  'SERVICE_PAUSED',
  'What serves this path is paused. The request was not run; try again later.',
)
export const OVERLOADED = new Refusal(503, 'OVERLOADED', 'Too many requests are under way. Try again shortly.')
export const STOPPING = new Refusal(503, 'GATEWAY_STOPPING', 'This gateway is stopping. Try again shortly.', true)
export const BAD_RESPONSE = new Refusal(502, 'BAD_RESPONSE', 'The application answered with an invalid response.')
const INTERNAL = new Refusal(500, 'INTERNAL', 'The request could not be served.')

const UNTAKEN = 'It was not run; try again shortly.'

/** The errors that a client may see. Their texts are for clients; those of the error table are for operators. */
const OUTCOMES: Partial<Record<ErrorCode, Refusal>> = {
  SPACE_UNREACHABLE: new Refusal(503, 'SPACE_UNREACHABLE', `The request could not be passed on. ${UNTAKEN}`),
  OVERLOADED,
  SPACE_FULL: new Refusal(503, 'SPACE_FULL', `Too many requests are waiting. ${UNTAKEN}`),
  SPACE_CLOSED: new Refusal(503, 'SPACE_CLOSED', `This gateway is stopping. ${UNTAKEN}`),
  OUTCOME_UNKNOWN: new Refusal(
    502,
    'OUTCOME_UNKNOWN',
    'The request was lost sight of and may have taken effect. Check before you send it again.',
  ),
  REQUEST_TIMEOUT: new Refusal(504, 'REQUEST_TIMEOUT', 'No answer came in time. The request may have been started.'),
  WORKER_LOST: new Refusal(
    502,
    'WORKER_LOST',
    'The process that had started this request died. It was not run again, since it may have taken effect: check before you send it again, or send it with an Idempotency-Key.',
  ),
  DELIVERIES_EXHAUSTED: new Refusal(
    502,
    'DELIVERIES_EXHAUSTED',
    'Each process that was given this request died before it answered. Do not send it again as it is.',
  ),
  BAD_RESPONSE,
  DATA_DAMAGED: new Refusal(
    502,
    'DATA_DAMAGED',
    'Something in the space is not what takespace has written. The request may have taken effect: check before you send it again.',
  ),
}

const UNCONFIRMED = new Refusal(
  503,
  'OUTCOME_UNKNOWN',
  'The request or its answer is not stored as safely as it must be. It may have taken effect: check before you send it again.',
)

/** Returns the refusal for the reason of a failed exchange; 500 INTERNAL for any other error. */
export function refusalOf(reason: unknown): Refusal {
  if (reason instanceof Refusal) return reason
  if (!isSpaceError(reason)) return INTERNAL
  if (reason.code === 'OUTCOME_UNKNOWN' && reason.status === UNCONFIRMED.status) return UNCONFIRMED
  return OUTCOMES[reason.code] ?? INTERNAL
}

/**
 * Returns whether the operator has to know the reason: it is neither a client's mistake nor a known state of the space.
 */
export function isAccident(reason: unknown): boolean {
  const refusal = refusalOf(reason)
  return refusal === INTERNAL || refusal.code === 'DATA_DAMAGED'
}

/** One second: a worker's restart or a failover takes about that long. */
const RETRY_AFTER_S = '1'

/** Returns whether the parser has given up on the request: nothing more of it can be read. */
export const isUnparsable = (reason: unknown): boolean => reason === MALFORMED || reason === HEADERS_TOO_LARGE

/** Returns the reason phrase of the status. */
export const reasonPhrase = (refusal: Refusal): string => STATUS_CODES[refusal.status] ?? ''

/** Returns the body, application/problem+json (RFC 9457). */
export const problemBody = (refusal: Refusal): string =>
  `${JSON.stringify({ title: reasonPhrase(refusal), status: refusal.status, code: refusal.code, detail: refusal.message })}\n`

/** Returns the header fields: name, value, name, value … */
export function problemHeaders(refusal: Refusal, body: string, id: string, close: boolean): string[] {
  const headers = ['Content-Type', 'application/problem+json', 'Content-Length', String(Buffer.byteLength(body))]
  headers.push('Cache-Control', 'no-store')
  if (id) headers.push('X-Request-Id', id)
  const mayBeRepeated = refusal.status === 503 && refusal !== UNCONFIRMED
  if (mayBeRepeated || refusal === KEY_IN_USE) headers.push('Retry-After', RETRY_AFTER_S)
  // RFC 9110 §15.5.6, RFC 6455 §4.4, RFC 9110 §15.5.22.
  if (refusal === UPGRADE_METHOD) headers.push('Allow', 'GET')
  if (refusal === UPGRADE_INVALID || refusal === UPGRADE_REQUIRED) headers.push('Sec-WebSocket-Version', '13, 8')
  if (refusal === UPGRADE_REQUIRED) headers.push('Upgrade', 'websocket')
  if (close) headers.push('Connection', 'close')
  return headers
}

/** Returns the response as text, for a connection without a response object. */
export function rawAnswer(refusal: Refusal): string {
  const body = problemBody(refusal)
  const headers = problemHeaders(refusal, body, '', true)
  let head = `HTTP/1.1 ${refusal.status} ${reasonPhrase(refusal)}\r\n`
  for (let i = 0; i < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`
  return `${head}\r\n${body}`
}

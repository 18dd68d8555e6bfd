/** Checks the response of an app and drops the fields that concern one connection only. */
import { STATUS_CODES } from 'node:http'
import { SpaceError } from '../src/errors.js'
import {
  CONNECTION_FIELDS,
  isBodiless,
  isChunked,
  isUncoded,
  NEVER_IN_TRAILERS,
  NOT_TEXT,
} from '../src/request/http.js'
import type { HttpResponse, ResponseHead } from '../src/request.js'

/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

const DROPPED: ReadonlySet<string> = new Set(CONNECTION_FIELDS)

/** Returns a response of the worker itself: one line without details. */
export function plain(status: number, line: string): HttpResponse {
  return {
    status,
    reason: STATUS_CODES[status] ?? '',
    headers: ['Content-Type', 'text/plain; charset=utf-8'],
    body: Buffer.from(`${line}\n`),
  }
}

// For clients: what happened, without details.
export const FAILED = plain(500, 'Internal Server Error')
export const BAD = plain(502, 'The application did not give a valid response.')
export const LATE = plain(504, 'The application did not answer in time.')
export const STOPPED = plain(
  502,
  'The worker was stopped before it had answered. The request may have taken effect; it was not run again.',
)

/** The result of a turn that has no outcome: never sent, its status is logged (499 as in the gateway and in nginx). */
export const NO_OUTCOME: HttpResponse = { status: 499, reason: '', headers: [], body: Buffer.alloc(0) }

/** The response of a turn whose body was streamed. */
export const STREAMED: HttpResponse = { status: 200, reason: '', headers: [], body: Buffer.alloc(0) }

/**
 * Returns the response as it is written into the space, without hop-by-hop fields. The gateway frames it, so the length
 * of a complete body is dropped; Content-Length is kept only if there is no body by rule (HEAD, 304).
 *
 * @throws SpaceError BAD_RESPONSE if HTTP cannot carry it, or its Content-Length is wrong
 */
export function sealed(response: HttpResponse, method: string): HttpResponse {
  const { status, reason, body, trailers } = response
  // 1xx is never the final response of an exchange (RFC 9110 §15.2).
  if (!Number.isInteger(status) || status < 200 || status > 999) throw bad(`Its status is ${String(status)}.`)
  const bodiless = isBodiless(status, method)
  return {
    status,
    reason,
    headers: sealedHeaders(response, bodiless ? undefined : body.length),
    body: bodiless ? EMPTY : body,
    trailers: trailers && trailers.length > 0 && !bodiless ? sealedTrailers(trailers) : undefined,
  }
}

/**
 * Returns the head of a streamed response, or an interim one (1xx). It keeps its Content-Length: there is no body to
 * count yet.
 */
export function sealedHead(head: ResponseHead): ResponseHead {
  const { status, reason } = head
  if (!Number.isInteger(status) || status < 101 || status > 999) throw bad(`Its status is ${String(status)}.`)
  return { status, reason, headers: sealedHeaders(head, undefined, status === 101) }
}

export function sealedTrailers(trailers: readonly string[]): string[] {
  const kept: string[] = []
  for (let i = 0; i + 1 < trailers.length; i += 2) {
    const [name, value] = [trailers[i] as string, trailers[i + 1] as string]
    checkField(name, value)
    if (!NEVER_IN_TRAILERS.has(name.toLowerCase())) kept.push(name, value)
  }
  return kept
}

function checkField(name: string, value: string): void {
  if (!TOKEN.test(name)) throw bad(`A header's name is not one: ${JSON.stringify(name)}.`)
  if (NOT_TEXT.test(value)) throw bad(`The value of ${name} holds characters that HTTP does not allow.`)
}

/** `length` is that of a complete body. */
function sealedHeaders(
  { status, reason, headers }: ResponseHead,
  length: number | undefined,
  switches = false,
): string[] {
  if (NOT_TEXT.test(reason)) throw bad('Its reason phrase holds characters that HTTP does not allow.')
  const kept: string[] = []
  let connection = ''
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string
    const value = headers[i + 1] as string
    checkField(name, value)
    const lower = name.toLowerCase()
    // The usual values list no fields.
    if (lower === 'connection' && value !== 'keep-alive' && value !== 'close') connection += `,${value.toLowerCase()}`
    if (lower === 'transfer-encoding') {
      if (!isUncoded(value)) throw bad(`Its transfer coding is ${value}: use chunked.`)
      if (!isChunked(value, status)) continue
    } else if (DROPPED.has(lower) && !(switches && lower === 'upgrade')) continue
    if (lower === 'content-length' && length !== undefined) {
      if (Number(value) !== length) throw bad(`Its content-length is ${value} bytes, its body has ${length}.`)
      continue
    }
    kept.push(name, value)
  }
  return connection === '' || switches ? kept : withoutListed(kept, connection)
}

const EMPTY = Buffer.alloc(0)

const bad = (detail: string): SpaceError => new SpaceError('BAD_RESPONSE', detail)

/** Connection may list further hop-by-hop fields (RFC 9110 §7.6.1). */
function withoutListed(headers: string[], connection: string): string[] {
  const listed = new Set(connection.split(',').map((name) => name.trim()))
  return headers.filter((_, i) => !listed.has((headers[i - (i % 2)] as string).toLowerCase()))
}

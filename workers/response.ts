/** What may leave a worker as a response: checked, and without what concerns one connection only. */
import { STATUS_CODES } from 'node:http'
import { SpaceError } from '../src/errors.js'
import { CONNECTION_FIELDS, isBodiless, NEVER_IN_TRAILERS } from '../src/request/http.js'
import type { HttpResponse, ResponseHead } from '../src/request.js'

/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** Anything a field value or a reason may not hold: control characters but the tab, and what is not Latin-1. */
const NOT_TEXT = /[^\t\x20-\x7e\x80-\xff]/

const DROPPED: ReadonlySet<string> = new Set(CONNECTION_FIELDS)

/** A response of the worker's own: one plain line that gives nothing away. */
export function plain(status: number, line: string): HttpResponse {
  return {
    status,
    reason: STATUS_CODES[status] ?? '',
    headers: ['Content-Type', 'text/plain; charset=utf-8'],
    body: Buffer.from(`${line}\n`),
  }
}

// A client reads these; they say what happened, never where or why.
export const FAILED = plain(500, 'Internal Server Error')
export const BAD = plain(502, 'The application did not give a valid response.')
export const LATE = plain(504, 'The application did not answer in time.')
export const STOPPED = plain(
  502,
  'The worker was stopped before it had answered. The request may have taken effect; it was not run again.',
)

/** Stands for a response whose body was streamed. */
export const STREAMED: HttpResponse = { status: 200, reason: '', headers: [], body: Buffer.alloc(0) }

/**
 * The response as it goes into the space. Hop-by-hop fields end here, and so does the length of a body that is there to be counted:
 * the gateway frames anew. Only where there is no body by rule (HEAD, 304) is Content-Length news.
 *
 * @throws SpaceError BAD_RESPONSE when HTTP cannot carry it, or its Content-Length is not its length
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

/** The same for one whose body is still to come, or that is interim (1xx). It keeps the length that it announces: there is nothing to count yet. */
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

/** `length`: of a body that is there to be counted. */
function sealedHeaders({ reason, headers }: ResponseHead, length: number | undefined, switches = false): string[] {
  if (NOT_TEXT.test(reason)) throw bad('Its reason phrase holds characters that HTTP does not allow.')
  const kept: string[] = []
  let connection = ''
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string
    const value = headers[i + 1] as string
    checkField(name, value)
    const lower = name.toLowerCase()
    // The everyday values list no fields.
    if (lower === 'connection' && value !== 'keep-alive' && value !== 'close') connection += `,${value.toLowerCase()}`
    if (DROPPED.has(lower) && !(switches && lower === 'upgrade')) continue
    if (lower === 'content-length' && length !== undefined) {
      if (Number(value) !== length) throw bad(`It announced ${value} bytes and has ${length}.`)
      continue
    }
    kept.push(name, value)
  }
  return connection === '' || switches ? kept : withoutListed(kept, connection)
}

const EMPTY = Buffer.alloc(0)

const bad = (detail: string): SpaceError => new SpaceError('BAD_RESPONSE', detail)

/** Connection may name further fields that end with it (RFC 9110 §7.6.1). */
function withoutListed(headers: string[], connection: string): string[] {
  const listed = new Set(connection.split(',').map((name) => name.trim()))
  return headers.filter((_, i) => !listed.has((headers[i - (i % 2)] as string).toLowerCase()))
}

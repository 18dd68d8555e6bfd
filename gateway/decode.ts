/** Writes a worker's response as an HTTP response: framed anew, without the fields of the worker's connection. */
import type { ServerResponse } from 'node:http'
import { HOP_BY_HOP, isBodiless, isChunked, isUncoded } from '../src/request/http.js'
import type { HttpResponse } from '../src/request.js'
import { listedIn, passedOn, withoutFields } from './fields.js'
import { BAD_RESPONSE } from './refusals.js'
import { endUnlessRead } from './unread.js'

/** A client that reads nothing of a complete response for this long is disconnected. */
export const UNREAD_MS = 28_000

/** A body up to this size is written in one string with its head: one system call instead of a gathered write. */
const JOINED_BYTES = 4_096

const DIGITS = /^\d+$/

/**
 * Writes the complete response. Throws BAD_RESPONSE, with nothing written, if HTTP cannot carry the response.
 *
 * @param end called after the last write, to end the response; default: ends it at once
 */
export function decode(
  res: ServerResponse,
  response: HttpResponse,
  id: string,
  close: boolean,
  end?: () => void,
): void {
  const bodiless = isBodiless(response.status, res.req.method)
  const { body, trailers } = response
  // Only a chunked body has trailers, and HTTP/1.0 has no chunked bodies.
  const behind = trailers && !bodiless && res.req.httpVersionMinor > 0 ? passedOn(trailers) : []
  writeHead(res, response, id, close, bodiless || behind.length > 0 ? undefined : body.length)
  if (behind.length === 0 && !end) return endResponse(res, bodiless ? undefined : body)
  res.flushHeaders()
  if (!bodiless) res.write(body)
  if (behind.length > 0) res.addTrailers(pairsOf(behind))
  if (end) end()
  else res.end()
}

/** Writes the head of a response whose body is streamed; see relay.ts. Throws as `decode` does. */
export function decodeHead(res: ServerResponse, response: HttpResponse, id: string, close: boolean): void {
  writeHead(res, response, id, close, undefined)
}

/** Returns the pairs of a list name, value, name, value …, as addTrailers takes them. */
export function pairsOf(fields: readonly string[]): [string, string][] {
  const pairs: [string, string][] = []
  for (let i = 0; i < fields.length; i += 2) pairs.push([fields[i] as string, fields[i + 1] as string])
  return pairs
}

/** `length` is that of a complete body; undefined: the response's own Content-Length counts. */
function writeHead(
  res: ServerResponse,
  response: HttpResponse,
  id: string,
  close: boolean,
  length: number | undefined,
): void {
  const { status, reason } = response
  // 1xx is never the final response of an exchange (RFC 9110 §15.2); 101 would hand our connection over.
  if (!Number.isInteger(status) || status < 200 || status > 999) throw BAD_RESPONSE
  if (response.headers.length % 2 !== 0) throw BAD_RESPONSE

  const headers = headersFor(response, length, res.req.httpVersionMinor > 0)
  headers.push('X-Request-Id', id)
  if (close) headers.push('Connection', 'close')
  try {
    // Checks names, values and the reason phrase: CR, LF and NUL cannot split a response.
    res.writeHead(status, reason, headers)
  } catch {
    throw BAD_RESPONSE
  }
}

/** `mayChunk` is false for HTTP/1.0, which has no chunked bodies. */
function headersFor(
  { headers, status, rest, trailers }: HttpResponse,
  length: number | undefined,
  mayChunk: boolean,
): string[] {
  const kept: string[] = []
  // Node.js refuses to announce trailers behind a body that is not chunked.
  const mayTrail = mayChunk && length === undefined && (rest !== undefined || trailers !== undefined)
  let chunked = false
  let announced = ''
  let connection = ''
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string
    const value = headers[i + 1] as string
    const lower = name.toLowerCase()
    if (lower === 'content-length') announced = value
    else if (lower === 'connection') connection = value
    // Gateway, space and worker use one id: that of the entry.
    else if (lower === 'x-request-id') continue
    else if (!HOP_BY_HOP.has(lower) || (lower === 'trailer' && mayTrail)) kept.push(name, value)
    else if (lower === 'transfer-encoding') {
      if (!isUncoded(value)) throw BAD_RESPONSE
      if (chunked || !mayChunk || !isChunked(value, status)) continue
      chunked = true
      kept.push(name, value)
    }
  }
  // HEAD and 304 carry the length that GET would send (RFC 9110 §8.6); 204 has none. A streamed body that misses its
  // length is cut off.
  const told = length ?? (status !== 204 && DIGITS.test(announced) ? announced : undefined)
  // A body in chunks has no Content-Length (RFC 9112 §6.2).
  if (!chunked && told !== undefined) kept.push('Content-Length', String(told))
  const listed = listedIn(connection)
  return listed ? withoutFields(kept, listed) : kept
}

function endResponse(res: ServerResponse, body: Buffer | undefined): void {
  if (body === undefined || body.length === 0) res.end()
  else if (body.length <= JOINED_BYTES) res.end(body.toString('latin1'), 'latin1')
  else res.end(body)
  endUnlessRead(res.req.socket, UNREAD_MS, res)
}

/** A worker's response becomes an HTTP response: framed by us, stripped of what concerned the worker's side only, otherwise intact. */
import type { ServerResponse } from 'node:http'
import { HOP_BY_HOP, isBodiless } from '../src/request/http.js'
import type { HttpResponse } from '../src/request.js'
import { listedIn, passedOn, withoutFields } from './fields.js'
import { BAD_RESPONSE } from './refusals.js'

/** A client that takes nothing of its answer for so long is given up; Node.js takes the first interval for progress, so twice that. */
const SLOW_READER_MS = 14_000

/** A body up to this size goes out in one string with its head, which costs one write instead of a gathered one. */
const JOINED_BYTES = 4_096

const DIGITS = /^\d+$/

/**
 * Writes the whole response. Throws BAD_RESPONSE, with nothing written, when it is not one that HTTP can carry.
 * @param end ends it, when all is written; default: at once
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
  // Only a chunked body has trailers; HTTP/1.0 has none.
  const behind = trailers && !bodiless && res.req.httpVersionMinor > 0 ? passedOn(trailers) : []
  writeHead(res, response, id, close, bodiless || behind.length > 0 ? undefined : body.length)
  if (behind.length === 0 && !end) return endResponse(res, bodiless ? undefined : body)
  res.flushHeaders()
  if (!bodiless) res.write(body)
  if (behind.length > 0) res.addTrailers(pairsOf(behind))
  if (end) end()
  else res.end()
}

/** The head of one whose body is still to come; see relay.ts. Throws as `decode` does. */
export function decodeHead(res: ServerResponse, response: HttpResponse, id: string, close: boolean): void {
  writeHead(res, response, id, close, undefined)
}

/** Name, value, name, value … as addTrailers wants them. */
export function pairsOf(fields: readonly string[]): [string, string][] {
  const pairs: [string, string][] = []
  for (let i = 0; i < fields.length; i += 2) pairs.push([fields[i] as string, fields[i + 1] as string])
  return pairs
}

/** `length`: of a body that is here; undefined: what it announces itself. */
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

  const headers = headersFor(response, length)
  headers.push('X-Request-Id', id)
  if (close) headers.push('Connection', 'close')
  try {
    // Checks each name, each value and the reason: CR, LF and NUL end here, not in a split response.
    res.writeHead(status, reason, headers)
  } catch {
    throw BAD_RESPONSE
  }
}

function headersFor({ headers, status, rest, trailers }: HttpResponse, length: number | undefined): string[] {
  const kept: string[] = []
  let announced = ''
  let connection = ''
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string
    const value = headers[i + 1] as string
    const lower = name.toLowerCase()
    if (lower === 'content-length') announced = value
    else if (lower === 'connection') connection = value
    // The entry's id is the one id of gateway, space and worker.
    else if (lower === 'x-request-id') continue
    else if (!HOP_BY_HOP.has(lower) || (lower === 'trailer' && (rest || trailers))) kept.push(name, value)
  }
  if (length !== undefined) kept.push('Content-Length', String(length))
  // HEAD and 304 tell the length of what GET would send (RFC 9110 §8.6); 204 has none. What is still to come keeps its word or is cut.
  else if (status !== 204 && DIGITS.test(announced)) kept.push('Content-Length', announced)
  const listed = listedIn(connection)
  return listed ? withoutFields(kept, listed) : kept
}

function endResponse(res: ServerResponse, body: Buffer | undefined): void {
  if (body === undefined || body.length === 0) res.end()
  else if (body.length <= JOINED_BYTES) res.end(body.toString('latin1'), 'latin1')
  else res.end(body)
  const { socket } = res
  // Node.js destroys a socket whose timeout passes without progress, and sets its own once the response is out.
  if (socket && socket.writableLength > 0) socket.setTimeout(SLOW_READER_MS)
}

/** What may leave a worker as a response: checked, and without what concerns one connection only. */
import { STATUS_CODES } from 'node:http'
import { SpaceError } from '../src/errors.js'
import type { HttpResponse } from '../src/request.js'

/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** Anything a field value or a reason may not hold: control characters but the tab, and what is not Latin-1. */
const NOT_TEXT = /[^\t\x20-\x7e\x80-\xff]/

const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** A response of the worker's own: one plain line that gives nothing away. */
export function plain(status: number, line: string): HttpResponse {
  return {
    status,
    reason: STATUS_CODES[status] ?? '',
    headers: ['Content-Type', 'text/plain; charset=utf-8'],
    body: Buffer.from(`${line}\n`),
  }
}

/**
 * The response as it goes into the space. Hop-by-hop fields end here, and so does the length of a body that is there to be counted:
 * the gateway frames anew. Only where there is no body by rule (HEAD, 304) is Content-Length news.
 *
 * @throws SpaceError BAD_RESPONSE when HTTP cannot carry it, or its Content-Length is not its length
 */
export function sealed(response: HttpResponse, method: string): HttpResponse {
  const { status, reason, headers, body } = response
  // 1xx is never the final response of an exchange (RFC 9110 §15.2).
  if (!Number.isInteger(status) || status < 200 || status > 999) throw bad(`Its status is ${String(status)}.`)
  if (NOT_TEXT.test(reason)) throw bad('Its reason phrase holds characters that HTTP does not allow.')
  const bodiless = method === 'HEAD' || status === 304 || status === 204
  const kept: string[] = []
  let connection = ''
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string
    const value = headers[i + 1] as string
    if (!TOKEN.test(name)) throw bad(`A header's name is not one: ${JSON.stringify(name)}.`)
    if (NOT_TEXT.test(value)) throw bad(`The value of ${name} holds characters that HTTP does not allow.`)
    const lower = name.toLowerCase()
    // The everyday values list no fields.
    if (lower === 'connection' && value !== 'keep-alive' && value !== 'close') connection += `,${value.toLowerCase()}`
    if (HOP_BY_HOP.has(lower)) continue
    if (lower === 'content-length' && !bodiless) {
      if (Number(value) !== body.length) throw bad(`It announced ${value} bytes and has ${body.length}.`)
      continue
    }
    kept.push(name, value)
  }
  return {
    status,
    reason,
    headers: connection === '' ? kept : withoutListed(kept, connection),
    body: bodiless ? EMPTY : body,
  }
}

const EMPTY = Buffer.alloc(0)

const bad = (detail: string): SpaceError => new SpaceError('BAD_RESPONSE', detail)

/** Connection may name further fields that end with it (RFC 9110 §7.6.1). */
function withoutListed(headers: string[], connection: string): string[] {
  const listed = new Set(connection.split(',').map((name) => name.trim()))
  return headers.filter((_, i) => !listed.has((headers[i - (i % 2)] as string).toLowerCase()))
}

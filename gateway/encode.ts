/**
 * Turns an HTTP request into the one that a worker is given: the head is checked, fields of the connection are dropped,
 * the order is kept.
 */
import type { IncomingMessage } from 'node:http'
import { HOP_BY_HOP, HOST } from '../src/request/http.js'
import type { HttpRequest, RequestClient } from '../src/request.js'
import type { Received } from './body.js'
import { claimsOrigin, hyphenated, isForwarded, listedIn, withoutFields } from './fields.js'
import { protocolOf, type TrustedProxies, unmapped } from './proxies.js'
import {
  CODING_INVALID,
  CODING_UNKNOWN,
  EXPECTATION_UNKNOWN,
  HEADERS_TOO_MANY,
  HOST_INVALID,
  LENGTH_INVALID,
  METHOD_UNKNOWN,
  TARGET_INVALID,
  VERSION_UNKNOWN,
} from './refusals.js'
import { clientCertOf } from './tls/client-certificate.js'

/** More header lines than any browser or proxy sends. */
export const MAX_HEADER_LINES = 100

/** A request's head, checked. */
export interface Head {
  readonly method: string
  readonly target: string
  readonly headers: string[]
  /** The Content-Length in bytes; -1 if the body is chunked. */
  readonly length: number
  /** The Host field; undefined if HTTP/1.0 sent none. */
  readonly host: string | undefined
  /** True if the request has an Idempotency-Key. */
  readonly hasKey: boolean
  /** The client behind trusted proxies; undefined: it is the peer of the connection. */
  readonly client: RequestClient | undefined
  /** The X-Request-Id of a trusted proxy. */
  readonly id: string | undefined
}

/** Ids as proxies make them: UUIDs, hexadecimal and base64 numbers, addresses with times. */
const REQUEST_ID = /^[\w.:+/=@~-]{1,128}$/

const ABSOLUTE = /^https?:\/\/([^/?#]*)([^#]*)$/i

/**
 * Returns the checked head, read in one pass over the raw header lines. Throws a Refusal for what RFC 9110 and 9112 do
 * not allow.
 */
export function readHead(req: IncomingMessage, proxies: TrustedProxies): Head {
  if (req.httpVersionMajor !== 1) throw VERSION_UNKNOWN
  const raw = req.rawHeaders
  if (raw.length > 2 * MAX_HEADER_LINES) throw HEADERS_TOO_MANY
  const method = req.method as string
  // TRACE echoes fields that other hops have added (RFC 9110 §9.3.8), a known leak of credentials.
  if (method === 'TRACE' || method === 'CONNECT') throw METHOD_UNKNOWN

  const headers: string[] = []
  let hostAt = -1
  let length = 0
  let connection = ''
  let hasKey = false
  let forwarded: string[] | undefined
  let isTrusted: boolean | undefined
  let id: string | undefined
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string
    const value = raw[i + 1] as string
    const lower = name.toLowerCase()
    switch (lower) {
      case 'host':
        if (hostAt >= 0 || !HOST.test(value)) throw HOST_INVALID
        hostAt = headers.length
        break
      case 'content-length':
        length = lengthOf(value)
        break
      case 'transfer-encoding':
        // Faulty framing in HTTP/1.0 (RFC 9112 §6.1).
        if (req.httpVersionMinor === 0) throw CODING_INVALID
        checkCoding(value)
        length = -1
        continue
      case 'connection':
        connection = connection ? `${connection},${value}` : value
        continue
      case 'expect':
        // Answered here (RFC 9110 §10.1.1): the worker is given a body that has arrived.
        if (value.toLowerCase() !== '100-continue') throw EXPECTATION_UNKNOWN
        continue
      case 'trailer':
        // Tells the app which trailers will come (RFC 9110 §6.6.2).
        break
      case 'idempotency-key':
        hasKey = true
        break
      case 'x-request-id':
        // Two lines are a list, and a list is not an id.
        id = id === undefined ? value : ''
        break
      default:
        if (isForwarded(lower)) {
          isTrusted ??= proxies.believes(req.socket)
          if (!isTrusted) continue
          forwarded ??= []
          forwarded.push(lower, value)
        } else if (isDropped(lower)) continue
    }
    headers.push(name, value)
  }
  // HTTP/1.0 knows no Host header.
  if (hostAt < 0 && req.httpVersionMinor !== 0) throw HOST_INVALID

  const certificate = clientCertOf(req.socket)
  if (certificate !== undefined) headers.push('Client-Cert', certificate)
  const target = targetOf(method, req.url as string, headers, hostAt)
  const listed = listedIn(connection)
  const kept = listed ? withoutFields(headers, listed) : headers
  const host = hostAt < 0 ? undefined : headers[hostAt + 1]
  const client = forwarded && proxies.clientOf(req.socket, forwarded, host)
  if (id !== undefined && !(REQUEST_ID.test(id) && (isTrusted ?? proxies.trusts(req.socket)))) id = undefined
  return { method, target, headers: kept, length, host, hasKey, client, id }
}

/** Returns the request with its body and with the addresses of the connection. */
export function encode(req: IncomingMessage, head: Head, { body, ended, trailers }: Received): HttpRequest {
  const { headers } = head
  const { remoteAddress, remotePort, localAddress, localPort } = req.socket
  // A complete chunked body gets a Content-Length (RFC 9112 §6.3); a streamed one has none.
  if (head.length < 0)
    headers.push(...(ended ? ['Content-Length', String(body.length)] : ['Transfer-Encoding', 'chunked']))
  return {
    method: head.method,
    target: head.target,
    httpVersion: req.httpVersionMinor === 0 ? '1.0' : '1.1',
    headers,
    body,
    more: ended ? undefined : ('body' as const),
    trailers: trailers.length > 0 ? trailers : undefined,
    peer: unmapped(remoteAddress),
    secure: protocolOf(req.socket) === 'https',
    peerPort: remotePort,
    localAddress: unmapped(localAddress),
    localPort,
    client: head.client,
    id: head.id,
  }
}

function lengthOf(value: string): number {
  // Node.js accepts digits only. A leading zero is octal to some software (request smuggling).
  if (value.length > 1 && value.charCodeAt(0) === 48) throw LENGTH_INVALID
  const length = Number(value)
  if (!Number.isSafeInteger(length)) throw LENGTH_INVALID
  return length
}

function checkCoding(value: string): void {
  const coding = value.trim().toLowerCase()
  if (coding === 'chunked') return
  // A coding beneath chunked is valid and not supported here (RFC 9112 §6.1); any other leaves the end of the body
  // unclear.
  throw /,\s*chunked$/.test(coding) ? CODING_UNKNOWN : CODING_INVALID
}

function isDropped(lower: string): boolean {
  const name = hyphenated(lower)
  if (HOP_BY_HOP.has(name) || claimsOrigin(name)) return true
  return name !== lower && (name === 'content-length' || name === 'host')
}

/** Returns the target in origin-form; the host of an absolute target replaces the Host field (RFC 9112 §3.2.2). */
function targetOf(method: string, target: string, headers: string[], hostAt: number): string {
  if (target.charCodeAt(0) === 47) return target
  if (target === '*' && method === 'OPTIONS') return target
  const [, host, path] = ABSOLUTE.exec(target) ?? []
  if (host === undefined || path === undefined || !HOST.test(host)) throw TARGET_INVALID
  if (hostAt < 0) headers.push('Host', host)
  else headers[hostAt + 1] = host
  return path.charCodeAt(0) === 47 ? path : `/${path}`
}

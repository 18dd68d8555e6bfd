/** An HTTP request becomes what a worker is given: its head is checked, stripped of what concerns this connection only, and kept in order. */
import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { HOP_BY_HOP, HOST } from '../src/request/http.js'
import type { HttpRequest } from '../src/request.js'
import type { Received } from './body.js'
import { listedIn, withoutFields } from './fields.js'
import {
  CODING_INVALID,
  CODING_UNKNOWN,
  EXPECTATION_UNKNOWN,
  HEADERS_TOO_MANY,
  HOST_INVALID,
  LENGTH_INVALID,
  METHOD_UNKNOWN,
  TARGET_INVALID,
} from './refusals.js'

/** Enough for every browser and proxy; what has more is looking for a limit. */
export const MAX_HEADER_LINES = 100

/** A request's head, checked. */
export interface Head {
  readonly method: string
  readonly target: string
  readonly headers: string[]
  /** Bytes that Content-Length announces; -1 when the body is chunked. */
  readonly length: number
  /** Whether it carries an Idempotency-Key. */
  readonly hasKey: boolean
}

/** What an untrusted peer says about where it comes from is its own invention; we say what we saw. */
const CLAIMED_ORIGIN: ReadonlySet<string> = new Set(['forwarded', 'x-real-ip'])
const CLAIMED_PREFIXES = ['x-forwarded-', 'x-takespace-']

const ABSOLUTE = /^https?:\/\/([^/?#]*)([^#]*)$/i

/** Reads the head in one pass over the raw header lines. Throws a Refusal for what RFC 9110 and 9112 do not allow. */
export function readHead(req: IncomingMessage): Head {
  const raw = req.rawHeaders
  if (raw.length > 2 * MAX_HEADER_LINES) throw HEADERS_TOO_MANY
  const method = req.method as string
  // TRACE would echo what other hops added to the request (RFC 9110 §9.3.8); nobody who runs a service wants that.
  if (method === 'TRACE' || method === 'CONNECT') throw METHOD_UNKNOWN

  const headers: string[] = []
  let hostAt = -1
  let length = 0
  let connection = ''
  let hasKey = false
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
        checkCoding(value)
        length = -1
        continue
      case 'connection':
        connection = connection ? `${connection},${value}` : value
        continue
      case 'expect':
        // Met or refused here (RFC 9110 §10.1.1); the worker gets a body that is already there.
        if (value.toLowerCase() !== '100-continue') throw EXPECTATION_UNKNOWN
        continue
      case 'idempotency-key':
        hasKey = true
        break
      default:
        if (isDropped(lower)) continue
    }
    headers.push(name, value)
  }
  // HTTP/1.0 knows no Host header.
  if (hostAt < 0 && req.httpVersionMinor !== 0) throw HOST_INVALID

  const target = targetOf(method, req.url as string, headers, hostAt)
  const listed = listedIn(connection)
  const kept = listed ? withoutFields(headers, listed) : headers
  return { method, target, headers: kept, length, hasKey }
}

/** Completes the head with its body and with what this gateway knows of the peer. */
export function encode(req: IncomingMessage, head: Head, { body, ended, trailers }: Received): HttpRequest {
  const { headers } = head
  const { remoteAddress, remotePort, localAddress, localPort } = req.socket
  // A chunked body has been put together; whoever reads it next needs its length (RFC 9112 §6.3). One that still comes has none.
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
    secure: (req.socket as TLSSocket).encrypted === true,
    peerPort: remotePort,
    localAddress: unmapped(localAddress),
    localPort,
  }
}

function lengthOf(value: string): number {
  // Node.js lets no other form through than digits; a leading zero is read as octal by some (request smuggling).
  if (value.length > 1 && value.charCodeAt(0) === 48) throw LENGTH_INVALID
  const length = Number(value)
  if (!Number.isSafeInteger(length)) throw LENGTH_INVALID
  return length
}

function checkCoding(value: string): void {
  const coding = value.trim().toLowerCase()
  if (coding === 'chunked') return
  // A coding beneath chunked is lawful and unknown to us (RFC 9112 §6.1); all else leaves the end of the body unclear.
  throw /,\s*chunked$/.test(coding) ? CODING_UNKNOWN : CODING_INVALID
}

function isDropped(lower: string): boolean {
  // `Transfer_Encoding` is a harmless name to us and Transfer-Encoding to software that reads both as one.
  const name = lower.includes('_') ? lower.replaceAll('_', '-') : lower
  if (HOP_BY_HOP.has(name) || CLAIMED_ORIGIN.has(name)) return true
  if (name !== lower && (name === 'content-length' || name === 'host')) return true
  return name.startsWith('x-') && CLAIMED_PREFIXES.some((prefix) => name.startsWith(prefix))
}

/** The target in origin-form; an absolute one also decides the Host (RFC 9112 §3.2.2). */
function targetOf(method: string, target: string, headers: string[], hostAt: number): string {
  if (target.charCodeAt(0) === 47) return target
  if (target === '*' && method === 'OPTIONS') return target
  const [, host, path] = ABSOLUTE.exec(target) ?? []
  if (host === undefined || path === undefined || !HOST.test(host)) throw TARGET_INVALID
  if (hostAt < 0) headers.push('Host', host)
  else headers[hostAt + 1] = host
  return path.charCodeAt(0) === 47 ? path : `/${path}`
}

const MAPPED_IPV4 = '::ffff:'

/** An IPv4 address as itself, also on a socket that listens for both families. */
const unmapped = (address = ''): string =>
  address.startsWith(MAPPED_IPV4) ? address.slice(MAPPED_IPV4.length) : address

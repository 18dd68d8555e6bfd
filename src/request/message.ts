/** Messages: HTTP requests and responses as bytes and strings, and their encoding in entries. */
import type { StreamCallbacks } from './streams/index.js'

/** The streamed rest of a body. */
export interface Rest {
  /** Starts reading. `onEnd` is given the trailers: name, value, name, value … */
  read(reader: RestReader): void
  /** Continues after `onChunk` has returned false. */
  resume(): void
  /** Cancels the stream. */
  cancel(): void
}

export interface RestReader extends Omit<StreamCallbacks, 'onEnd'> {
  onEnd(trailers: readonly string[]): void
}

/** The client of a request. */
export interface RequestClient {
  /** IP address; 127.0.0.1 for `client.fetch()`, empty for a task. */
  readonly address: string
  readonly protocol: 'http' | 'https'
  /** The host that the client asked for; undefined without one (HTTP/1.0, a task). */
  readonly host: string | undefined
}

/** An HTTP request as bytes and strings, undecoded. */
export interface HttpRequest {
  readonly method: string
  /** The request target as the client sent it (RFC 9112 §3.2). */
  readonly target: string
  /** `1.1` or `1.0`. */
  readonly httpVersion: string
  /** Name, value, name, value … as received: in order, with repeated fields. */
  readonly headers: readonly string[]
  /** The complete body; its beginning if `more` is set. */
  readonly body: Buffer
  /** `body`: the rest of the body is streamed. `upgrade`: a request for another protocol (RFC 9110 §7.8). */
  readonly more?: More | undefined
  /** The rest of the body; set when a worker has taken the request. */
  rest?: Rest | undefined
  /** Trailers of a complete body: name, value, name, value … */
  readonly trailers?: readonly string[] | undefined
  /** The IP address of the gateway's peer, and whether it uses TLS. */
  readonly peer: string
  readonly secure: boolean
  /** The peer's port, and the address and port that it has connected to; undefined without a connection. */
  readonly peerPort?: number | undefined
  readonly localAddress?: string | undefined
  readonly localPort?: number | undefined
  /** The client behind trusted proxies; undefined: the peer is the client. */
  readonly client?: RequestClient | undefined
  /** The id that a trusted proxy gave to the request; undefined: that of its entry. */
  readonly id?: string | undefined
}

/** An HTTP response as bytes and strings. */
export interface HttpResponse {
  readonly status: number
  readonly reason: string
  /** Name, value, name, value … in order, with repeated fields such as Set-Cookie. */
  readonly headers: readonly string[]
  /** The complete body; empty if there is `rest`. */
  readonly body: Buffer
  readonly rest?: Rest | undefined
  /** Trailers of a complete body. */
  readonly trailers?: readonly string[] | undefined
  /** True if the app has ended its connection within a streamed body, as its client shall see. */
  readonly isCutShort?: boolean | undefined
}

/** The head of a response. */
export type ResponseHead = Pick<HttpResponse, 'status' | 'reason' | 'headers'>

export type More = 'body' | 'upgrade'

// On the wire: a line of JSON (readable in redis-cli, and faster than base64), then the body. Header values are Latin-1
// strings in Node.js; JSON carries them exactly.

const NEWLINE = 10

function encodeMessage(head: readonly unknown[], body: Buffer): Buffer {
  const line = `${JSON.stringify(head)}\n`
  if (body.length === 0) return Buffer.from(line)
  const length = Buffer.byteLength(line)
  const bytes = Buffer.allocUnsafe(length + body.length)
  bytes.write(line, 0)
  bytes.set(body, length)
  return bytes
}

function decodeMessage(bytes: Buffer): { head: unknown[]; body: Buffer } {
  const end = bytes.indexOf(NEWLINE)
  const head: unknown = JSON.parse(bytes.toString('utf8', 0, end))
  if (end < 0 || !Array.isArray(head)) throw new TypeError('not a takespace message')
  return { head, body: bytes.subarray(end + 1) }
}

export function encodeRequest(r: HttpRequest): Buffer {
  const head: unknown[] = [r.method, r.target, r.httpVersion, r.peer, r.secure ? 1 : 0, r.headers]
  const { client, id } = r
  const isProxied = client !== undefined || id !== undefined
  if (r.more || r.trailers || r.peerPort !== undefined || isProxied) head.push(r.more ?? '', r.trailers ?? [])
  if (r.peerPort !== undefined || isProxied) head.push(r.peerPort, r.localAddress, r.localPort)
  if (isProxied) head.push(client ? [client.address, client.protocol, client.host ?? ''] : null)
  if (id !== undefined) head.push(id)
  return encodeMessage(head, r.body)
}

export function decodeRequest(bytes: Buffer): HttpRequest {
  const { head, body } = decodeMessage(bytes)
  const [
    method,
    target,
    httpVersion,
    peer,
    secure,
    headers,
    more,
    trailers,
    peerPort,
    localAddress,
    localPort,
    client,
    id,
  ] = head
  if (!strings([method, target, httpVersion, peer]) || !strings(headers)) throw new TypeError('not a request')
  if (trailers !== undefined && !strings(trailers)) throw new TypeError('not a request')
  return {
    method: method as string,
    target: target as string,
    httpVersion: httpVersion as string,
    peer: peer as string,
    secure: secure === 1,
    headers,
    body,
    more: more === 'body' || more === 'upgrade' ? more : undefined,
    trailers: trailers as string[] | undefined,
    rest: undefined,
    peerPort: typeof peerPort === 'number' ? peerPort : undefined,
    localAddress: typeof localAddress === 'string' ? localAddress : undefined,
    localPort: typeof localPort === 'number' ? localPort : undefined,
    client: strings(client) ? clientIn(client) : undefined,
    id: typeof id === 'string' ? id : undefined,
  }
}

/** Returns the client of a request: the one behind trusted proxies, else the peer. */
export function clientOf({
  peer: address,
  secure,
  headers,
  client,
}: Pick<HttpRequest, 'peer' | 'secure' | 'headers' | 'client'>): RequestClient {
  if (client) return client
  const host = headers.findIndex((field, i) => i % 2 === 0 && field.toLowerCase() === 'host')
  return { address, protocol: secure ? 'https' : 'http', host: host < 0 ? undefined : headers[host + 1] }
}

const clientIn = ([address = '', protocol, host]: readonly string[]): RequestClient => ({
  address,
  protocol: protocol === 'https' ? 'https' : 'http',
  host: host || undefined,
})

export function encodeResponse(r: HttpResponse): Buffer {
  const head: unknown[] = [r.status, r.reason, r.headers]
  if (r.trailers) head.push(r.trailers)
  return encodeMessage(head, r.body)
}

export function decodeResponse(bytes: Buffer): HttpResponse {
  const { head, body } = decodeMessage(bytes)
  const [status, reason, headers, trailers] = head
  if (typeof status !== 'number' || !strings([reason]) || !strings(headers)) throw new TypeError('not a response')
  if (trailers !== undefined && !strings(trailers)) throw new TypeError('not a response')
  return { status, reason: reason as string, headers, body, trailers }
}

// A streamed response: a line for its head and for each interim head before it, then the body. Its completion says
// where the stream is.

export const encodeHead = (head: ResponseHead): Buffer => encodeResponse({ ...head, body: NOTHING })

/** The stream of a response. */
export interface StreamPlace {
  readonly claim: string
  readonly holder: string
}

export const encodePlace = ({ claim, holder }: StreamPlace): Buffer => encodeMessage(['s', claim, holder], NOTHING)

/** Returns the stream of a response; undefined for a complete response. */
export function placeIn(bytes: Buffer): StreamPlace | undefined {
  // A complete response begins with the number of its status.
  if (bytes[1] !== QUOTE) return undefined
  const [, claim, holder] = decodeMessage(bytes).head
  if (!strings([claim, holder])) throw new TypeError('not a response')
  return { claim: claim as string, holder: holder as string }
}

const QUOTE = 34
const NOTHING = Buffer.alloc(0)

export const encodeTrailers = (trailers: readonly string[] | undefined): Buffer =>
  trailers && trailers.length > 0 ? Buffer.from(JSON.stringify(trailers)) : NOTHING

/** Returns [] if the bytes are not a valid trailer list. */
export function decodeTrailers(bytes: Buffer): readonly string[] {
  if (bytes.length === 0) return []
  try {
    const trailers: unknown = JSON.parse(bytes.toString())
    return strings(trailers) && trailers.length % 2 === 0 ? trailers : []
  } catch {
    return []
  }
}

const strings = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string')

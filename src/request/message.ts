/** Messages: HTTP requests and responses as bytes and strings, and their encoding in entries. */
import { encodeLines, LineReader, linesOf } from './lines.js'
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

// A request. Numbers: the sum of the optional lines (LOCAL, CLIENT, ID), lines of headers, of trailers, the minor
// version of HTTP, 1 for TLS, an index of MORE, the peer's port, the local port. Lines: method, target, peer; the
// address that the peer has connected to; address, protocol and host of a client behind proxies; a proxy's id; headers;
// trailers. Header values are Latin-1 in Node.js and names of tasks are any text, so lines are UTF-8.
const REQUEST = 'q'
const LOCAL = 1
const CLIENT = 2
const ID = 4
const MORE: readonly (More | undefined)[] = [undefined, 'body', 'upgrade']

// A response. Numbers: status, lines of headers, of trailers. Lines: reason, headers, trailers.
const RESPONSE = 'r'

const NONE: readonly string[] = []
const EMPTY = Buffer.alloc(0)

export function encodeRequest(r: HttpRequest): Buffer {
  const { localAddress, client, id, headers, trailers = NONE } = r
  let parts = 0
  let lines = `${r.method}\n${r.target}\n${r.peer}\n`
  if (localAddress !== undefined) {
    parts += LOCAL
    lines += `${localAddress}\n`
  }
  if (client) {
    parts += CLIENT
    lines += `${client.address}\n${client.protocol}\n${client.host ?? ''}\n`
  }
  if (id !== undefined) {
    parts += ID
    lines += `${id}\n`
  }
  lines += linesOf(headers) + linesOf(trailers)
  const flags = `${r.httpVersion === '1.0' ? '0' : '1'} ${r.secure ? '1' : '0'} ${r.more ? MORE.indexOf(r.more) : '0'}`
  const ports = `${r.peerPort ?? ''} ${r.localPort ?? ''}`
  const numbers = ` ${parts} ${headers.length} ${trailers.length} ${flags} ${ports}`
  return encodeLines(REQUEST, numbers, lines, r.body)
}

/** @throws TypeError if the bytes are not a request */
export function decodeRequest(bytes: Buffer): HttpRequest {
  const reader = new LineReader(REQUEST, bytes)
  const { numbers, body } = reader
  const parts = numbers[1]!
  const method = reader.next()
  const target = reader.next()
  const peer = copied(reader.next())
  const localAddress = parts & LOCAL ? reader.next() : undefined
  const client = parts & CLIENT ? clientIn(reader) : undefined
  const id = parts & ID ? reader.next() : undefined
  const headers = reader.fields(numbers[2])
  const trailers = trailersIn(reader, numbers[3])
  return {
    method,
    target,
    httpVersion: numbers[4] === 0 ? '1.0' : '1.1',
    headers,
    body,
    more: MORE[numbers[6]!],
    rest: undefined,
    trailers,
    peer,
    secure: numbers[5] === 1,
    peerPort: portIn(numbers[7]),
    localAddress,
    localPort: portIn(numbers[8]),
    client,
    id,
  }
}

function clientIn(reader: LineReader): RequestClient {
  const address = copied(reader.next())
  const protocol = reader.next() === 'https' ? 'https' : 'http'
  return { address, protocol, host: reader.next() || undefined }
}

/** Returns the last lines of a message; undefined if there are none. */
function trailersIn(reader: LineReader, count: number | undefined): string[] | undefined {
  const trailers = reader.fields(count)
  reader.end()
  return trailers.length > 0 ? trailers : undefined
}

const portIn = (number = -1): number | undefined => (number < 0 ? undefined : number)

/**
 * Returns a copy of an address. To V8 a part of a text is a view of the text, and apps keep addresses for long, to
 * limit rates for example: without a copy each would keep the whole head.
 */
const copied = (address: string): string => ` ${address}`.slice(1)

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

export function encodeResponse({ status, reason, headers, trailers = NONE, body }: HttpResponse): Buffer {
  const numbers = ` ${status} ${headers.length} ${trailers.length}`
  return encodeLines(RESPONSE, numbers, `${reason}\n${linesOf(headers)}${linesOf(trailers)}`, body)
}

/** @throws TypeError if the bytes are not a response */
export function decodeResponse(bytes: Buffer): HttpResponse {
  const reader = new LineReader(RESPONSE, bytes)
  const { numbers, body } = reader
  const status = numbers[1] ?? -1
  if (status < 0) throw new TypeError('not a response')
  const reason = reader.next()
  const headers = reader.fields(numbers[2])
  return { status, reason, headers, body, trailers: trailersIn(reader, numbers[3]) }
}

// A streamed response: its head, and each interim head before it, as a response without a body; then the body. Its
// completion says where the stream is.

export const encodeHead = (head: ResponseHead): Buffer => encodeResponse({ ...head, body: EMPTY })

/** The stream of a response. */
export interface StreamPlace {
  readonly claim: string
  readonly holder: string
}

const PLACE = 's'

export const encodePlace = ({ claim, holder }: StreamPlace): Buffer => encodeLines(PLACE, '', `${claim}\n${holder}\n`)

/** Returns the stream of a response; undefined for a complete response. @throws TypeError if the place is malformed */
export function placeIn(bytes: Buffer): StreamPlace | undefined {
  if (bytes[0] !== PLACE.charCodeAt(0)) return undefined
  const reader = new LineReader(PLACE, bytes)
  const place = { claim: reader.next(), holder: reader.next() }
  reader.end()
  return place
}

const TRAILERS = 't'

export const encodeTrailers = (trailers: readonly string[] | undefined): Buffer =>
  trailers && trailers.length > 0 ? encodeLines(TRAILERS, ` ${trailers.length}`, linesOf(trailers)) : EMPTY

/** Returns [] if the bytes are not a valid trailer list. */
export function decodeTrailers(bytes: Buffer): readonly string[] {
  if (bytes.length === 0) return []
  try {
    const reader = new LineReader(TRAILERS, bytes)
    const trailers = reader.fields(reader.numbers[1])
    reader.end()
    return trailers
  } catch {
    return []
  }
}

/**
 * WebSockets over HTTP/2 (RFC 8441): a stream that asks for one is given to the HTTP/1.1 server as a connection of its
 * own, on which a client of HTTP/1.1 makes the handshake.
 */
import { randomBytes } from 'node:crypto'
import { type IncomingMessage, request } from 'node:http'
import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import { type Duplex, duplexPair } from 'node:stream'
import { CONNECTION_FIELDS } from '../../src/request/http.js'
import { UNREAD_MS } from '../decode.js'
import { inheritHeader } from '../proxy-protocol.js'
import { endsOf } from './connection.js'
import type { Overhead } from './overhead.js'
import { http1Head } from './request.js'

/** Fields of the handshake of HTTP/1.1, which HTTP/2 does without (RFC 8441 §5). */
const OF_HANDSHAKE: ReadonlySet<string> = new Set([...CONNECTION_FIELDS, 'sec-websocket-accept'])

/** Returns whether a request is an extended CONNECT for a WebSocket; one for another protocol is refused as CONNECT is. */
export function isWebSocket(raw: readonly string[]): boolean {
  const at = raw.indexOf(':protocol')
  return at >= 0 && at % 2 === 0 && raw[at + 1]?.toLowerCase() === 'websocket'
}

/** `serve` is given the connection for HTTP/1.1. */
export function tunnel(
  stream: ServerHttp2Stream,
  raw: readonly string[],
  overhead: Overhead,
  serve: (socket: Socket) => void,
): void {
  const { path, fields } = http1Head(raw, true)
  const [near, far] = duplexPair()
  let answer: IncomingMessage | undefined
  endTogether(stream, near, far, () => answer?.complete === true)
  const handshake = request({
    createConnection: () => asSocket(far),
    path,
    headers: headersOf(fields),
  })
  handshake.on('error', () => stream.close(constants.NGHTTP2_CONNECT_ERROR))
  handshake.on('upgrade', (res, socket, first) => {
    respond(stream, res, 200)
    if (first.length > 0) stream.write(first)
    for (const side of [socket, stream]) {
      side.on('data', (chunk: Buffer) => {
        overhead.bodyBytes += chunk.length
      })
    }
    socket.pipe(stream).pipe(socket)
  })
  handshake.on('response', (res) => {
    answer = res
    respond(stream, res, res.statusCode as number)
    res.pipe(stream)
    // The client is told to send nothing more.
    stream.once('finish', () => setImmediate(closeStream, stream))
  })
  handshake.end()
  const served = Object.assign(asSocket(near), endsOf(overhead.socket))
  countWritten(served)
  inheritHeader(overhead.socket, served)
  serve(served)
}

/** A client that reads nothing is known by what was written (unread.ts). */
function countWritten(socket: Socket): void {
  const { write } = socket
  const counted = socket as { bytesWritten: number }
  counted.bytesWritten = 0
  socket.write = (chunk: Uint8Array | string, ...rest: unknown[]): boolean => {
    counted.bytesWritten += chunk.length
    return Reflect.apply(write, socket, [chunk, ...rest])
  }
}

/** The members of a socket that mean nothing here. */
function asSocket(side: Duplex): Socket {
  const same = (): Duplex => side
  return Object.assign(side, {
    setTimeout: same,
    setNoDelay: same,
    setKeepAlive: same,
    ref: same,
    unref: same,
    destroySoon: () => side.end(() => side.destroy()),
  }) as unknown as Socket
}

/** Ends a stream in good order if all was written to it, else with an error. */
function closeStream(stream: ServerHttp2Stream): void {
  if (stream.closed || stream.destroyed) return
  stream.close(stream.writableFinished ? constants.NGHTTP2_NO_ERROR : constants.NGHTTP2_CANCEL)
}

/**
 * The stream and both sides end when one of them is destroyed. What the gateway had written before is sent first:
 * `near` may have closed before `far` is read, and `far` before the answer is.
 */
function endTogether(stream: ServerHttp2Stream, near: Duplex, far: Duplex, isAnswered: () => boolean): void {
  let timer: NodeJS.Timeout | undefined
  const close = (): void => closeStream(stream)
  const closeWhenSent = (): void => {
    if (stream.writableFinished) return close()
    stream.once('finish', () => setImmediate(close))
    timer ??= setTimeout(close, UNREAD_MS)
  }
  for (const each of [stream, near, far]) each.on('error', () => {})
  near.once('close', () => {
    if (near.writableFinished) closeWhenSent()
    else close()
  })
  far.once('close', () => {
    near.destroy()
    if (isAnswered()) closeWhenSent()
    else close()
  })
  stream.once('close', () => {
    clearTimeout(timer)
    near.destroy()
    far.destroy()
  })
}

function headersOf(raw: readonly string[]): OutgoingHttpHeaders {
  const headers: Record<string, string[]> = {}
  for (let i = 0; i < raw.length; i += 2) {
    const name = (raw[i] as string).toLowerCase()
    if (!OF_HANDSHAKE.has(name)) headers[name] = [...(headers[name] ?? []), raw[i + 1] as string]
  }
  const key = randomBytes(16).toString('base64')
  return {
    'sec-websocket-version': '13',
    ...headers,
    'sec-websocket-key': key,
    connection: 'Upgrade',
    upgrade: 'websocket',
  }
}

function respond(stream: ServerHttp2Stream, { headers }: IncomingMessage, status: number): void {
  const kept: OutgoingHttpHeaders = { ':status': status }
  for (const [name, value] of Object.entries(headers)) if (!OF_HANDSHAKE.has(name)) kept[name] = value
  if (!stream.closed && !stream.destroyed) stream.respond(kept)
}

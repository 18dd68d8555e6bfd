/** The HTTP server: node:http with a bound on everything that a client can delay. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { SpaceError } from '../src/errors.js'
import { endWith, finishConnection, oldestAnswer, whenDetached } from './connection.js'
import { MAX_HEADER_LINES } from './encode.js'
import { FIRST_WITHIN_MS } from './first-bytes.js'
import { answerHalfClosed } from './half-closed.js'
import { takePrefaces } from './http2/cleartext.js'
import { createHttp2, type Http2Front } from './http2/server.js'
import { isSilent } from './proxy-protocol.js'
import { BODY_TOO_SLOW, METHOD_UNKNOWN } from './refusals.js'
import type { Certificates } from './tls/certificates.js'
import { createSecureServer } from './tls/server.js'
import { refuseUnparsed } from './unparsed.js'
import { STALLED_MS } from './uploads.js'

const OPTIONS = {
  /** Slow headers end within 10 s, including the check interval. */
  headersTimeout: FIRST_WITHIN_MS,
  // body.ts and upload.ts bound slow bodies.
  requestTimeout: 0,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 16_384,
  // encode.ts checks Host, and says what was wrong.
  requireHostHeader: false,
  noDelay: true,
}

const MOST_EARLIER_MS = 5_000

/**
 * Returns the value of `Keep-Alive: timeout=`. Node.js sends its own timeout, so that both ends close in the same moment
 * and a request sent just then is lost.
 */
const toldKeepAliveMs = (keepAliveMs: number): number => keepAliveMs - Math.min(MOST_EARLIER_MS, keepAliveMs / 2)

/** A field of Node.js that its types leave out. */
interface ResponseWithKeepAlive extends ServerResponse {
  _keepAliveTimeout: number
  /** True ends the connection if 100 Continue is not sent, whatever is behind. */
  _expect_continue?: boolean
}

/** A field of Node.js that its types leave out: set while the connection is one of HTTP. */
interface HttpSocket extends Socket {
  readonly parser?: object | null
}

interface HttpServer extends Server {
  /** True keeps the connection of a client that has closed its side until its last answer. */
  httpAllowHalfOpen?: boolean
}

/** `expects100` is true if the client waits for 100 Continue. */
export type OnRequest = (req: IncomingMessage, res: ServerResponse, expects100: boolean) => void

/** `first` holds bytes that arrived behind the request. */
export type OnUpgrade = (req: IncomingMessage, socket: Socket, first: Buffer) => void

export interface ServerTerms {
  readonly host: string
  readonly port: number
  /** Set for HTTPS; they have been loaded. */
  readonly certificates: Certificates | undefined
  /** HTTP/2 without TLS is served, too. */
  readonly h2c: boolean
  /** How long an idle connection stays open: the client must be the first to close it. */
  readonly keepAliveMs: number
}

export interface ServerEvents {
  /** Called before the port is open. */
  onServer(server: Server): void
  readonly onRequest: OnRequest
  readonly onUpgrade: OnUpgrade
  /** Returns whether the protocol that a request asks for is served. */
  isUpgrade(req: IncomingMessage): boolean
}

export interface GatewayServer {
  readonly port: number
  /** Takes no new connection, closes idle ones, waits up to `boundMs` for the others, then cuts them. */
  close(boundMs: number): Promise<void>
}

/**
 * Resolves when the port is open. Rejects with PORT_TAKEN, or INVALID_ARGUMENT for an address that is not of this
 * machine.
 */
export function listen(
  { host, port, certificates, h2c, keepAliveMs }: ServerTerms,
  { onServer, onRequest, onUpgrade, isUpgrade }: ServerEvents,
): Promise<GatewayServer> {
  const serveHttp1 = (socket: Socket): void => void server.emit(begins, socket)
  const http2 = certificates || h2c ? createHttp2(keepAliveMs, onRequest, serveHttp1) : undefined
  const options = { ...OPTIONS, keepAliveTimeout: keepAliveMs }
  const server: HttpServer = certificates
    ? createSecureServer(options, certificates, (socket) => http2!.serve(socket))
    : createServer(options)
  server.httpAllowHalfOpen = true
  if (h2c && !certificates) takePrefaces(server, (socket) => http2!.serve(socket))
  onServer(server)
  /** Emitted for each connection on which HTTP/1.1 begins. */
  const begins = certificates ? 'secureConnection' : 'connection'
  // One more than is accepted, so that an excess is refused; Node.js drops further lines silently.
  server.maxHeadersCount = MAX_HEADER_LINES + 1
  const toldMs = toldKeepAliveMs(keepAliveMs)
  const given = (req: IncomingMessage, res: ServerResponse, expects100: boolean): void => {
    ;(res as ResponseWithKeepAlive)._keepAliveTimeout = toldMs
    onRequest(req, res, expects100)
  }
  server.on('request', (req, res) => given(req, res, false))
  server.on('checkContinue', (req, res: ResponseWithKeepAlive) => {
    // exchange.ts ends the connection if a body is not read.
    res._expect_continue = false
    given(req, res, true)
  })
  server.on('checkExpectation', (req, res) => given(req, res, false))
  server.on('upgrade', (req, socket, first) =>
    whenDetached(socket as Socket, () => {
      if (isUpgrade(req)) onUpgrade(req, socket as Socket, first)
      else serveHttp1(asIfUnasked(req, socket as Socket, first))
    }),
  )
  server.on('connect', (_req, socket) =>
    whenDetached(socket as Socket, () => {
      finishConnection(socket as Socket)
      endWith(socket as Socket, METHOD_UNKNOWN)
    }),
  )
  server.on('clientError', (error, socket) => refuseUnparsed(error, socket as Socket))
  const open = new Set<Socket>()
  const keep = (socket: Socket): void => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  }
  // From the beginning of the handshake.
  if (certificates) server.prependListener('connection', keep)
  server.prependListener(begins, (socket: Socket) => {
    if ((socket as TLSSocket).alpnProtocol === 'h2') return
    // Each pipelined request adds a close listener; `limits.inFlight` bounds their number.
    socket.setMaxListeners(0)
    keep(socket)
    socket.on('end', () => answerHalfClosed(socket))
  })

  return new Promise((resolve, reject) => {
    // Later errors are of single connections; the server goes on.
    server.on('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)))
    server.listen({ host, port }, () => {
      const address = server.address() as AddressInfo
      resolve({ port: address.port, close: (boundMs) => closeServer(server, http2, open, boundMs) })
    })
  })
}

/**
 * A server may ignore Upgrade (RFC 9110 §7.8), such as that of curl for h2c. Node.js has detached the connection, so
 * the request is emitted again without the field.
 */
function asIfUnasked(req: IncomingMessage, socket: Socket, first: Buffer): Socket {
  const { method, url, httpVersion, rawHeaders } = req
  let head = `${method} ${url} HTTP/${httpVersion}\r\n`
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase()
    const value = name === 'connection' ? withoutUpgrade(rawHeaders[i + 1] as string) : rawHeaders[i + 1]
    const isAsking = name === 'upgrade' || (name === 'connection' && value === '')
    // Fields without a value stay: an empty Host or Transfer-Encoding is refused.
    if (!isAsking) head += `${rawHeaders[i]}: ${value}\r\n`
  }
  socket.unshift(Buffer.concat([Buffer.from(`${head}\r\n`, 'latin1'), first]))
  return socket
}

const withoutUpgrade = (connection: string): string =>
  connection
    .split(',')
    .filter((option) => option.trim().toLowerCase() !== 'upgrade')
    .join(',')
    .trim()

/**
 * Browsers open connections ahead of need, which Node.js does not count as idle. A request on one arrives within this
 * time.
 */
const SILENT_MS = 250

function closeServer(
  server: Server,
  http2: Http2Front | undefined,
  open: ReadonlySet<Socket>,
  boundMs: number,
): Promise<void> {
  return new Promise((resolve) => {
    const cutSilent = (): void => {
      for (const socket of open) if (isSilent(socket)) socket.destroy()
    }
    // Node.js no longer looks at slow heads.
    const refuseHeads = (): void => {
      for (const socket of open as ReadonlySet<HttpSocket>)
        if (socket.parser && !oldestAnswer(socket)) endWith(socket, BODY_TOO_SLOW)
    }
    const end = (): void => {
      const silent = setTimeout(cutSilent, SILENT_MS)
      const heads = setTimeout(refuseHeads, STALLED_MS)
      const all = setTimeout(() => {
        http2?.destroy()
        // Node.js knows neither a connection whose upgrade was declined nor one that has not begun with HTTP.
        for (const socket of open) socket.destroy()
      }, boundMs)
      // Sessions of HTTP/2 hold their connections, for which the server waits.
      http2?.close()
      server.close(() => {
        clearTimeout(silent)
        clearTimeout(heads)
        clearTimeout(all)
        resolve()
      })
    }
    // A whole turn of the event loop reads and accepts first: the operating system resets connections that wait for a
    // port which is closed.
    setImmediate(() => setImmediate(end))
  })
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): SpaceError {
  const cause = { cause: error }
  if (error.code === 'EADDRINUSE') return new SpaceError('PORT_TAKEN', `The address is ${host}:${port}.`, cause)
  if (error.code === 'EACCES') {
    return new SpaceError(
      'INVALID_ARGUMENT',
      `port ${port} needs privileges this process does not have; use one from 1024 on.`,
      cause,
    )
  }
  return new SpaceError('INVALID_ARGUMENT', `host ${host} is not an address of this machine (${error.code}).`, cause)
}

/** The HTTP server: node:http with a bound on everything that a client can delay. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { SpaceError } from '../src/errors.js'
import { MAX_HEADER_LINES } from './encode.js'
import { BODY_TOO_SLOW, finished, METHOD_UNKNOWN, Refusal, rawAnswer } from './refusals.js'
import { isWebSocket } from './websocket.js'

/** How long an idle connection stays open. */
export const KEEP_ALIVE_MS = 65_000

const OPTIONS = {
  /** Slow headers end within 10 s, including the check interval; the default of Node.js is 60 s. */
  headersTimeout: 9_000,
  // body.ts and upload.ts bound slow bodies.
  requestTimeout: 0,
  connectionsCheckingInterval: 1_000,
  /** Longer than the 60 s of common load balancers: the client must be the first to close an idle connection. */
  keepAliveTimeout: KEEP_ALIVE_MS,
  maxHeaderSize: 16_384,
  requireHostHeader: true,
  noDelay: true,
}

/**
 * The value of `Keep-Alive: timeout=`. Node.js sends its own timeout, so that both ends close in the same moment and a
 * request sent just then is lost.
 */
const TOLD_KEEP_ALIVE_MS = 60_000

/** A field of Node.js that its types leave out. */
interface ResponseWithKeepAlive extends ServerResponse {
  _keepAliveTimeout: number
}

/** `expects100` is true if the client waits for 100 Continue. */
export type OnRequest = (req: IncomingMessage, res: ServerResponse, expects100: boolean) => void

/** `first` holds bytes that arrived behind the request. */
export type OnUpgrade = (req: IncomingMessage, socket: Socket, first: Buffer) => void

export interface GatewayServer {
  readonly port: number
  /** Takes no new connection, closes idle ones, waits up to `boundMs` for the others, then cuts them. */
  close(boundMs: number): Promise<void>
}

/**
 * Resolves when the port is open. Rejects with PORT_TAKEN, or INVALID_ARGUMENT for an address that is not of this
 * machine.
 */
export function listen(host: string, port: number, onRequest: OnRequest, onUpgrade: OnUpgrade): Promise<GatewayServer> {
  const server = createServer(OPTIONS)
  // One more than is accepted, so that an excess is refused; Node.js drops further lines silently.
  server.maxHeadersCount = MAX_HEADER_LINES + 1
  const given = (req: IncomingMessage, res: ServerResponse, expects100: boolean): void => {
    ;(res as ResponseWithKeepAlive)._keepAliveTimeout = TOLD_KEEP_ALIVE_MS
    onRequest(req, res, expects100)
  }
  server.on('request', (req, res) => given(req, res, false))
  server.on('checkContinue', (req, res) => given(req, res, true))
  server.on('checkExpectation', (req, res) => given(req, res, false))
  server.on('upgrade', (req, socket, first) => {
    if (isWebSocket(req)) onUpgrade(req, socket as Socket, first)
    else asIfUnasked(server, req, socket as Socket, first)
  })
  server.on('connect', (_req, socket) => endWith(socket, METHOD_UNKNOWN))
  server.on('clientError', (error, socket) => refuseUnparsed(error, socket as Socket))
  const open = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    // Each pipelined request adds a close listener; `limits.inFlight` bounds their number.
    socket.setMaxListeners(0)
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })

  return new Promise((resolve, reject) => {
    // Later errors are of single connections; the server goes on.
    server.on('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)))
    server.listen({ host, port }, () => {
      const address = server.address() as AddressInfo
      resolve({ port: address.port, close: (boundMs) => closeServer(server, open, boundMs) })
    })
  })
}

/**
 * A server may ignore Upgrade (RFC 9110 §7.8), such as that of curl for h2c. Node.js has detached the connection, so
 * the request is emitted again without the field.
 */
function asIfUnasked(server: Server, req: IncomingMessage, socket: Socket, first: Buffer): void {
  const { method, url, httpVersion, rawHeaders } = req
  let head = `${method} ${url} HTTP/${httpVersion}\r\n`
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase()
    const value = name === 'connection' ? withoutUpgrade(rawHeaders[i + 1] as string) : rawHeaders[i + 1]
    if (name !== 'upgrade' && value !== '') head += `${rawHeaders[i]}: ${value}\r\n`
  }
  socket.unshift(Buffer.concat([Buffer.from(`${head}\r\n`, 'latin1'), first]))
  server.emit('connection', socket)
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

function closeServer(server: Server, open: ReadonlySet<Socket>, boundMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cutSilent = (): void => {
      for (const socket of open) if (socket.bytesRead === 0) socket.destroy()
    }
    const silent = setTimeout(cutSilent, SILENT_MS)
    const all = setTimeout(() => server.closeAllConnections(), boundMs)
    server.close(() => {
      clearTimeout(silent)
      clearTimeout(all)
      resolve()
    })
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

const MALFORMED = new Refusal(400, 'MALFORMED', 'The request is not valid HTTP.', true)
const HEADER_TOO_LARGE = new Refusal(431, 'HEADERS_TOO_LARGE', 'Send at most 16 KiB of header lines.', true)

const UNPARSED: Record<string, Refusal> = {
  HPE_INVALID_METHOD: METHOD_UNKNOWN,
  HPE_HEADER_OVERFLOW: HEADER_TOO_LARGE,
  ERR_HTTP_REQUEST_TIMEOUT: BODY_TOO_SLOW,
}

/** Answers bytes that are not an HTTP request. Responses are written whole, so this one follows a complete one. */
function refuseUnparsed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable || finished.has(socket)) socket.destroySoon()
  else endWith(socket, UNPARSED[error.code ?? ''] ?? MALFORMED)
}

function endWith(socket: Duplex, refusal: Refusal): void {
  socket.on('error', () => {})
  socket.end(rawAnswer(refusal), () => socket.destroy())
}

/** The one server that listens: node:http with bounds on everything a client may take its time over. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { SpaceError } from '../src/errors.js'
import { MAX_HEADER_LINES } from './encode.js'
import { BODY_TOO_SLOW, finished, METHOD_UNKNOWN, Refusal, rawAnswer } from './refusals.js'
import { isWebSocket } from './websocket.js'

/** So long an idle connection stays open. */
export const KEEP_ALIVE_MS = 65_000

const OPTIONS = {
  /** Slow headers end within 10 s, a check's interval included; Node.js gives them 60 s. */
  headersTimeout: 9_000,
  // A body may take as long as it flows: body.ts and upload.ts see to one that does not.
  requestTimeout: 0,
  connectionsCheckingInterval: 1_000,
  /** Longer than the 60 s of common load balancers: of two ends that close an idle connection, the client's must be the first. */
  keepAliveTimeout: KEEP_ALIVE_MS,
  maxHeaderSize: 16_384,
  requireHostHeader: true,
  noDelay: true,
}

/**
 * What a client is told (Keep-Alive: timeout=60). Node.js tells the time that it gives, so both would close an idle connection in the same moment, and a request
 * that is sent in that moment is lost with it.
 */
const TOLD_KEEP_ALIVE_MS = 60_000

/** Node's own, and left out of its types: what stands in that field. */
interface ResponseWithKeepAlive extends ServerResponse {
  _keepAliveTimeout: number
}

/** `expects100`: the client waits to be told that it may send its body. */
export type OnRequest = (req: IncomingMessage, res: ServerResponse, expects100: boolean) => void

/** `first`: what the client has sent behind its request. */
export type OnUpgrade = (req: IncomingMessage, socket: Socket, first: Buffer) => void

export interface GatewayServer {
  readonly port: number
  /** Takes no new connection, closes idle ones, waits for the others to end; at the end of `boundMs` it cuts them. */
  close(boundMs: number): Promise<void>
}

/** Resolves when the port is open. Rejects with PORT_TAKEN, or INVALID_ARGUMENT for an address that is not ours. */
export function listen(host: string, port: number, onRequest: OnRequest, onUpgrade: OnUpgrade): Promise<GatewayServer> {
  const server = createServer(OPTIONS)
  // One more than is accepted, so that an excess is seen and refused; Node.js drops without a word what is beyond.
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
    // Each pipelined request listens for the socket's close; their number is bounded by maxInFlight.
    socket.setMaxListeners(0)
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })

  return new Promise((resolve, reject) => {
    // Later ones are of a connection that could not be accepted; the server goes on.
    server.on('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)))
    server.listen({ host, port }, () => {
      const address = server.address() as AddressInfo
      resolve({ port: address.port, close: (boundMs) => closeServer(server, open, boundMs) })
    })
  })
}

/**
 * A server may ignore a wish for another protocol (RFC 9110 §7.8), such as that of curl for h2c; but Node.js has let go of the connection. It is
 * given the same request once more, without the wish.
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

/** Browsers open connections ahead of need, which Node.js does not count as idle; what was sent on one arrives within this. */
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
  if (error.code === 'EADDRINUSE') return new SpaceError('PORT_TAKEN', `It is ${host}:${port}.`, cause)
  if (error.code === 'EACCES') {
    return new SpaceError(
      'INVALID_ARGUMENT',
      `port ${port} needs privileges this process does not have; use one from 1024 on.`,
      cause,
    )
  }
  return new SpaceError('INVALID_ARGUMENT', `host ${host} is not an address of this machine (${error.code}).`, cause)
}

const MALFORMED = new Refusal(400, 'MALFORMED', 'This could not be read as an HTTP request.', true)
const HEADER_TOO_LARGE = new Refusal(431, 'HEADERS_TOO_LARGE', 'Send at most 16 KiB of header lines.', true)

const UNPARSED: Record<string, Refusal> = {
  HPE_INVALID_METHOD: METHOD_UNKNOWN,
  HPE_HEADER_OVERFLOW: HEADER_TOO_LARGE,
  ERR_HTTP_REQUEST_TIMEOUT: BODY_TOO_SLOW,
}

/**
 * What the parser could not make a request of. Answers go out whole, so whatever the socket still has to send is a complete one,
 * and this one follows it well framed.
 */
function refuseUnparsed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable || finished.has(socket)) socket.destroySoon()
  else endWith(socket, UNPARSED[error.code ?? ''] ?? MALFORMED)
}

function endWith(socket: Duplex, refusal: Refusal): void {
  socket.on('error', () => {})
  socket.end(rawAnswer(refusal), () => socket.destroy())
}

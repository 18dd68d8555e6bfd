/**
 * The life of one upgraded connection (RFC 9110 §7.8, RFC 6455): admitted, written into the space like any request,
 * taken by a worker whose app switches protocols; then bytes pass both ways until one side ends the connection.
 */
import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { StreamWriter } from '../src/request/streams/index.js'
import type { HttpResponse, Rest } from '../src/request.js'
import { NO_BODY } from './body.js'
import { finishConnection } from './connection.js'
import { decode } from './decode.js'
import { type Edge, type Exchange, requestIdOf, startExchange } from './edge.js'
import { encode, readHead } from './encode.js'
import { admit, checkOffered, countResponse, finish, refuseExchange, relayed, sendAndAwait } from './exchange.js'
import { answerHalfClosed } from './half-closed.js'
import { checkedProtocol, WEBSOCKET } from './protocols.js'
import { UNREAD_STREAM_MS } from './relay.js'
import { endUnlessRead } from './unread.js'
import { CLOSED_FOR_RESTART, FrameCounter } from './websocket.js'

const NOTHING = Buffer.alloc(0)

/** `first` holds bytes that arrived behind the request. */
export async function upgrade(edge: Edge, req: IncomingMessage, socket: Socket, first: Buffer): Promise<void> {
  const res = new ServerResponse(req)
  // Until the protocol is switched, responses follow HTTP, and the connection ends after one.
  res.shouldKeepAlive = false
  res.assignSocket(socket)
  socket.on('error', () => {})
  const exchange = startExchange(edge, req, res)
  edge.watch?.open.add(exchange)
  try {
    const protocol = checkedProtocol(req, edge.upgradeProtocols)
    const head = readHead(req, edge.proxies)
    exchange.head = head
    const route = admit(exchange, head)
    if (route.refusesWithoutWorker) await checkOffered(edge, route)
    const request = encode(req, head, NO_BODY)
    const headers = [...request.headers, 'Connection', 'Upgrade', 'Upgrade', protocol]
    const terms = { ...route.once, repeatable: false, maxDeliveries: 9 }
    const answered = sendAndAwait(exchange, { ...request, headers, body: first, more: 'upgrade' }, terms)
    passOn(socket, exchange.sent!.upload as StreamWriter)
    const response = await answered
    countResponse(exchange)
    const { status, rest } = response
    if (status === 101 && rest) await switched(exchange, socket, response, rest, protocol === WEBSOCKET)
    else await declined(exchange, socket, response)
  } catch (reason) {
    refuseExchange(exchange, reason)
    endHttp(socket)
  } finally {
    finish(exchange)
  }
}

/**
 * Passes on what the client sends, from the beginning: its end has to be noticed before an app has answered, and the app
 * is told of it.
 */
function passOn(socket: Socket, upload: StreamWriter): void {
  socket.on('data', (bytes: Buffer) => {
    if (!upload.write(bytes)) socket.pause()
  })
  upload.onDrain = () => void socket.resume()
  socket.on('end', () => {
    upload.end(NOTHING)
    answerHalfClosed(socket)
  })
}

/** Ends a connection that was not switched; what its client still sends is dropped. */
function endHttp(socket: Socket): void {
  finishConnection(socket)
  socket.removeAllListeners('data').resume()
  socket.destroySoon()
}

/** The app has answered with an ordinary response; until that is complete, it may still read what the client sends. */
async function declined(exchange: Exchange, socket: Socket, response: HttpResponse): Promise<void> {
  const { res, sent } = exchange
  if (response.rest) {
    // Node.js has left the connection, and tells the response no more.
    socket.on('drain', () => res.emit('drain'))
    await relayed(exchange, response, response.rest, true)
  } else {
    decode(res, response, requestIdOf(exchange), true)
    exchange.status = response.status
  }
  sent?.upload?.destroy('')
  endHttp(socket)
}

/**
 * Passes bytes until one side ends. If the worker is gone, the client of a WebSocket is told to reconnect (close code
 * 1012) at a frame boundary; that of another protocol sees the end of its connection.
 */
function switched(
  exchange: Exchange,
  socket: Socket,
  response: HttpResponse,
  rest: Rest,
  isWebSocket: boolean,
): Promise<void> {
  const { res, sent, edge } = exchange
  const upload = sent!.upload as StreamWriter
  const frames = isWebSocket ? new FrameCounter() : undefined
  exchange.status = 101
  res.detachSocket(socket)
  socket.setTimeout(0)
  socket.setNoDelay(true)
  socket.setKeepAlive(true, 30_000)
  socket.write(headOf(response, requestIdOf(exchange)), 'latin1')
  return new Promise((resolve) => {
    const ended = (code?: string): void => {
      edge.upgraded.delete(closeUpgraded)
      exchange.code = code
      resolve()
    }
    const closeUpgraded = (): void => {
      sent!.withdraw()
      broken('GATEWAY_STOPPING')
    }
    const broken = (code: string): void => {
      if (frames?.isBetween && !frames.isClosed) socket.end(CLOSED_FOR_RESTART)
      // Inside a frame the client can only be shown the end of the connection.
      else socket.destroy()
      setTimeout(() => socket.destroy(), LINGER_MS).unref()
      ended(code)
    }
    edge.upgraded.add(closeUpgraded)
    if (edge.phase === 'draining' || edge.phase === 'stopped') return closeUpgraded()
    socket.on('drain', () => rest.resume())
    socket.on('close', () => {
      // The worker then sees a closed connection.
      sent!.withdraw()
      ended()
    })
    rest.read({
      onChunk(bytes) {
        frames?.count(bytes)
        const room = socket.write(bytes)
        if (!room) endUnlessRead(socket, UNREAD_STREAM_MS)
        return room
      },
      onEnd() {
        socket.end()
        upload.end(NOTHING)
        setTimeout(() => socket.destroy(), LINGER_MS).unref()
        ended()
      },
      onBroken: broken,
    })
  })
}

/** How long a client may take to close its side. */
const LINGER_MS = 5_000

/** The worker has checked names and values; this text bypasses the checks of Node.js, so they are checked again. */
function headOf({ reason, headers }: HttpResponse, id: string): string {
  let head = `HTTP/1.1 101 ${/^[\x20-\x7e]*$/.test(reason) && reason ? reason : 'Switching Protocols'}\r\nConnection: Upgrade\r\n`
  for (let i = 0; i < headers.length; i += 2) {
    const [name, value] = [headers[i] as string, headers[i + 1] as string]
    if (/^[\w!#$%&'*+.^`|~-]+$/.test(name) && /^[\t\x20-\x7e\x80-\xff]*$/.test(value)) head += `${name}: ${value}\r\n`
  }
  return `${head}X-Request-Id: ${id}\r\n\r\n`
}

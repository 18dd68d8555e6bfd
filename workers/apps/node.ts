/**
 * The dispatcher: runs a `(req, res)` app on a request without a socket.
 *
 * `req` and `res` are IncomingMessage and ServerResponse of Node.js, so its rules apply: joined headers, write after
 * end, HEAD, implicit heads, `finish`. Two things are replaced, as own properties because Express swaps the prototypes
 * of both: the source of the body (`req._read`) and the framing of the response (`res._storeHeader`). Invariants:
 *
 *  - `req.complete` becomes true when the body has been handed over, not before, and `req.socket` is readable; body
 *    parsers depend on both;
 *  - the head is written through the instance (`res.writeHead`), which on-headers users (express-session, compression)
 *    replace;
 *  - `finish` comes, then `close`; a writer that got `false` gets `drain`.
 */
import { IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { SpaceError } from '../../src/errors.js'
import type { HttpRequest, HttpResponse, ResponseHead, Rest } from '../../src/request.js'
import type { Handler, TurnContext } from '../handler.js'
import { AppSocket, type NodeResponse } from './socket.js'

/** An app, or one step of an app, as Node's http module calls it. Of a returned promise only the rejection counts. */
export type NodeApp = (req: IncomingMessage, res: ServerResponse) => unknown

interface NodeIncoming extends IncomingMessage {
  _consuming: boolean
  _addHeaderLines(lines: readonly string[], count: number): void
  _dump(): void
}

interface NodeOutgoing extends NodeResponse {
  _storeHeader(firstLine: string, headers: unknown): void
  _headerSent: boolean
  _trailer: string
  _closed: boolean
}

const storeHeaderOfNode = (ServerResponse.prototype as NodeOutgoing)._storeHeader

/** `server`: value of `req.socket.server`. */
export function nodeHandler(app: NodeApp, server?: Server): Handler {
  return (request, turn) =>
    new Promise((resolve, reject) => {
      const connection: AppSocket = new AppSocket(
        request,
        server,
        () => turn.startResponse(responseHeadOf(res)),
        (text) => startInterim(text, turn),
      )
      const req = incoming(request, connection)
      const res = new ServerResponse(req) as unknown as NodeOutgoing
      res._storeHeader = storeHeader

      let answered = false
      res.on('finish', () => {
        answered = true
        if (turn.isTraced) turn.route = routeOf(req)
        resolve(responseOf(res, connection))
        end(request, req, res, connection)
      })
      // The app destroyed the connection (its way of failing), or the turn was cut, which looks to the app like a
      // client that has gone.
      connection.on('close', () => {
        if (answered) return
        if (!req.destroyed) req.destroy(Object.assign(new Error('aborted'), { code: 'ECONNRESET' }))
        if (!turn.wasCut || res.writableEnded) reject(closedEarly())
      })
      // From here on `res` is told when the connection closes: after `req`, as on a server.
      res.assignSocket(connection as unknown as Socket)

      const fail = (error: unknown): void => {
        if (res.writableEnded) {
          turn.tooLate(error)
          return
        }
        reject(error)
        connection.destroy()
      }
      // For example a write after the end: on a bare server it would end the process.
      res.on('error', fail)
      turn.onCut = () => {
        if (answered) return
        connection.destroy()
        // The response has no `finish` any more, but Node.js still emits `prefinish` when the app ends it.
        res.on('prefinish', () => reject(closedEarly()))
        const { write } = res
        res.write = (...args: unknown[]) => {
          turn.runsOn()
          return write.apply(res, args as Parameters<typeof write>)
        }
      }

      try {
        const returned = app(req, res) as PromiseLike<unknown> | undefined
        if (typeof returned?.then === 'function') returned.then(() => turn.wasCut && reject(closedEarly()), fail)
      } catch (error) {
        fail(error)
      }
    })
}

/** Returns the route that Express has matched, with the paths of its routers; undefined for other frameworks. */
function routeOf(req: IncomingMessage): string | undefined {
  const { route, baseUrl = '' } = req as { readonly route?: { readonly path?: unknown }; readonly baseUrl?: string }
  return typeof route?.path === 'string' ? `${baseUrl}${route.path}` : undefined
}

const closedEarly = (): SpaceError =>
  new SpaceError('BAD_RESPONSE', 'The handler closed its connection before it had answered.')

export function incoming(request: HttpRequest, connection: AppSocket | Duplex): NodeIncoming {
  const req = new IncomingMessage(connection as unknown as Socket) as NodeIncoming
  const { httpVersion, headers, body } = request
  req.method = request.method
  req.url = request.target
  req.httpVersion = httpVersion
  req.httpVersionMajor = httpVersion.charCodeAt(0) - ZERO
  req.httpVersionMinor = httpVersion.charCodeAt(2) - ZERO
  req._addHeaderLines(headers, headers.length)
  let given = false
  req._read = () => {
    req._consuming = true
    if (given) return request.rest?.resume()
    given = true
    if (body.length > 0) req.push(body)
    if (request.rest) pushRest(req, request.rest, connection as AppSocket)
    else complete(req, request.trailers)
  }
  return req
}

function complete(req: NodeIncoming, trailers: readonly string[] = []): void {
  req.complete = true
  if (trailers.length > 0) req._addHeaderLines(trailers, trailers.length)
  req.push(null)
}

/** Pushes the bytes as they arrive. A client that stops half-way looks to the app as it does on a server. */
function pushRest(req: NodeIncoming, rest: Rest, connection: AppSocket): void {
  rest.read({
    onChunk(chunk) {
      connection.restRead += chunk.length
      return req.push(chunk)
    },
    onEnd: (trailers) => complete(req, trailers),
    onBroken: () => req.destroy(Object.assign(new Error('aborted'), { code: 'ECONNRESET' })),
  })
}

const ZERO = 48

/** The last line of a head whose app gives the body no framing. */
const FRAMED_BY_NODE = 'Transfer-Encoding: chunked\r\n\r\n'

/** As in Node.js, but without framing the body: the gateway does. Only the app's own Transfer-Encoding is kept. */
function storeHeader(this: NodeOutgoing, firstLine: string, headers: unknown): void {
  storeHeaderOfNode.call(this, firstLine, headers)
  if (this.chunkedEncoding && this._header?.endsWith(FRAMED_BY_NODE) && !hasTransferEncoding(headers))
    this._header = `${this._header.slice(0, -FRAMED_BY_NODE.length)}\r\n`
  this.chunkedEncoding = false
  // If the client has gone, nothing is sent and there is no `finish`.
  this._headerSent = this.socket?.writable !== false
}

/** Returns whether the app has set the field. `headers`: an object, a list of pairs or a flat list, as in writeHead(). */
function hasTransferEncoding(headers: unknown): boolean {
  const list: unknown[] = Array.isArray(headers) ? headers : Object.entries(headers ?? {})
  const names = Array.isArray(list[0]) ? list.map((pair) => (pair as unknown[])[0]) : list.filter((_, i) => i % 2 === 0)
  return names.some((name) => String(name).toLowerCase() === 'transfer-encoding')
}

/** Ends an exchange as Node's server does. */
function end(request: HttpRequest, req: NodeIncoming, res: NodeOutgoing, connection: AppSocket): void {
  connection.stopTimers()
  res.detachSocket(connection as unknown as Socket)
  process.nextTick(emitClose, res)
  if (request.rest && !req.complete) {
    request.rest.cancel()
    req.destroy()
    return
  }
  if (req._consuming) return
  // An unread body is dumped only if there are listeners for its end; running the stream would cost as much as the rest
  // of the request. From Node 26.10 on, _dump() does nothing for a complete request.
  if (req.listenerCount('end') > 0 || req.listenerCount('close') > 0) req._dump()
  req.complete = true
}

function emitClose(res: NodeOutgoing): void {
  if (res._closed) return
  res.destroyed = true
  res._closed = true
  res.emit('close')
}

const responseOf = (res: NodeOutgoing, connection: AppSocket): HttpResponse => ({
  status: res.statusCode,
  reason: res.statusMessage,
  headers: fieldsIn((res._header as string).split('\r\n'), 1),
  body: connection.body(),
  trailers: res._trailer ? fieldsIn(res._trailer.split('\r\n'), 0) : undefined,
})

/** Parses the head that Node.js has written: it handles every way in which an app can give one. */
const responseHeadOf = (res: NodeOutgoing): ResponseHead => ({
  status: res.statusCode,
  reason: res.statusMessage,
  headers: fieldsIn((res._header as string).split('\r\n'), 1),
})

/** The gateway sends 100 Continue itself (RFC 9110 §10.1.1). */
function startInterim(text: string, turn: TurnContext): void {
  const [, status, reason = ''] = /^HTTP\/1\.1 (1\d\d) ?([^\r\n]*)/.exec(text) ?? []
  if (status === undefined || status === '100' || status === '101') return
  turn.startResponse({ status: Number(status), reason, headers: fieldsIn(text.split('\r\n'), 1) })
}

function fieldsIn(lines: readonly string[], first: number): string[] {
  const fields: string[] = []
  for (let i = first; i < lines.length; i++) {
    const line = lines[i] as string
    const colon = line.indexOf(':')
    if (colon > 0) fields.push(line.slice(0, colon), line.slice(colon + 2))
  }
  return fields
}

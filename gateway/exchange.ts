/** The life of one request, top to bottom: admitted, read, written into the space, awaited, answered. */
import { type IncomingMessage, ServerResponse } from 'node:http'
import { monotonicMs } from '../src/clock.js'
import { isSpaceError, SpaceError } from '../src/errors.js'
import { silent } from '../src/log.js'
import type { StreamWriter } from '../src/request/streams/index.js'
import {
  type HttpRequest,
  type HttpResponse,
  type ResponseHead,
  type Rest,
  type SendOptions,
  type Sent,
  sendRequest,
} from '../src/request.js'
import { CLIENT_GONE, NO_BODY, type Received, readBody } from './body.js'
import { finishConnection, isFollowed, LINGER_MS } from './connection.js'
import { decode, decodeHead } from './decode.js'
import { type Edge, type Exchange, requestIdOf, startExchange } from './edge.js'
import { encode, type Head, readHead } from './encode.js'
import { keyOf } from './idempotency-key.js'
import { askOnce, receiveAll } from './idempotent-request.js'
import { unmapped } from './proxies.js'
import {
  BODY_TOO_SLOW,
  isAccident,
  isUnparsable,
  NO_SERVICE,
  NO_WORKER,
  problemBody,
  problemHeaders,
  reasonPhrase,
  refusalOf,
  SERVICE_PAUSED,
  STOPPING,
} from './refusals.js'
import { relay } from './relay.js'
import { ReplayBuffer } from './replay-buffer.js'
import { type Route, termsFor } from './routes.js'
import { spanOf } from './span.js'
import { Upload } from './upload.js'

/** The engine's maximum: for a request that may run once, deliveries are not what ends it. */
const MOST_DELIVERIES = 9

/** Handles one request: its client gets one response, or has gone. */
export async function handleExchange(edge: Edge, req: IncomingMessage, res: ServerResponse, expects100 = false) {
  const exchange = startExchange(edge, req, res)
  edge.watch?.open.add(exchange)
  try {
    const head = readHead(req, edge.proxies)
    exchange.head = head
    const route = admit(exchange, head)
    if (route.refusesWithoutWorker) await checkOffered(edge, route)
    exchange.span = edge.tracing && spanOf(edge.tracing, exchange, head, route)
    const key = head.hasKey ? keyOf(head.method, head.headers) : undefined
    const first = head.length === 0 ? NO_BODY : await receive(exchange, head, route, expects100)
    const body = key === undefined ? first : await receiveAll(req, first, route.bodies, exchange, edge.uploads)
    const request = encode(req, head, body)
    const terms = termsFor(route, head.method, head.hasKey)
    const response = await (key !== undefined
      ? askOnce(exchange, key, request, terms)
      : body.ended
        ? sendAndAwait(exchange, request, terms)
        : askStreaming(exchange, request, route, terms))
    countResponse(exchange)
    if (response.rest) await relayed(exchange, response, response.rest)
    else writeAnswer(exchange, response)
  } catch (reason) {
    refuseExchange(exchange, reason)
  } finally {
    if (exchange.upload) {
      edge.uploads.delete(exchange.upload)
      exchange.upload.stop()
    }
    // After the response the worker reads no more of the body.
    exchange.sent?.upload?.destroy('OUTCOME_UNKNOWN')
    finish(exchange)
  }
}

/** Returns the route of a request, before its body is read. Throws a Refusal if the request is not admitted. */
export function admit(exchange: Exchange, head: Head): Route {
  const { edge } = exchange
  const { limits, routes, phase } = edge
  if (phase === 'stopped') throw STOPPING
  // Behind a trusted proxy, the host that the client asked for.
  const route = routes.find(head.client?.host ?? head.host, head.target)
  if (!route) throw NO_SERVICE
  if (edge.refused.has(route.once.service)) throw SERVICE_PAUSED
  route.bodies.checkAnnounced(head.length)
  limits.enter()
  exchange.entered = true
  exchange.service = route.once.service
  exchange.load = route.load
  edge.outages.enter(route.load)
  return route
}

/** Throws NO_WORKER if no worker offers to take requests of the route's service. */
export async function checkOffered({ offered }: Edge, { once }: Route): Promise<void> {
  if (!(await offered.has(once.service))) throw NO_WORKER
}

/** Counts the response of a worker: the request no longer waits. */
export function countResponse(exchange: Exchange): void {
  if (!exchange.load) return
  exchange.load.answered++
  exchange.load.waiting--
  exchange.load = undefined
}

/** RFC 9110 §10.1.1: only an admitted request is answered with 100 Continue. */
function receive(exchange: Exchange, head: Head, { bodies }: Route, expects100: boolean): Promise<Received> {
  if (expects100) exchange.res.writeContinue()
  return readBody(exchange.req, head.length, bodies, exchange)
}

/** Writes the request into the space and returns its response. The engine bridges short outages of the space. */
export function sendAndAwait(exchange: Exchange, request: HttpRequest, terms: SendOptions): Promise<HttpResponse> {
  return awaitOutcome(exchange, sendRequestOf(exchange, request, terms), terms.timeoutMs)
}

function sendRequestOf(exchange: Exchange, request: HttpRequest, terms: SendOptions): Sent {
  if (exchange.req.socket.destroyed) throw CLIENT_GONE
  const sent = sendRequest(exchange.edge.space, request, terms, (head) => writeInterim(exchange, head))
  exchange.entryId = sent.id
  exchange.sent = sent
  return sent
}

/**
 * The same for a streamed body. Once a worker has read of it, the space does not redeliver the request. If that worker
 * dies, the request is written again if it is repeatable and its body is still buffered (promise 5 of DESIGN §3).
 */
async function askStreaming(
  exchange: Exchange,
  request: HttpRequest,
  { bodies }: Route,
  terms: SendOptions,
): Promise<HttpResponse> {
  const kept = new ReplayBuffer(terms.repeatable ? exchange.edge.replayBytes : 0)
  const upload = new Upload(exchange.req, exchange.bytes, bodies, kept)
  exchange.upload = upload
  exchange.edge.uploads.add(upload)
  for (let left = terms.repeatable ? (terms.maxDeliveries ?? 1) : MOST_DELIVERIES; ; left--) {
    const sent = sendRequestOf(exchange, request, { ...terms, maxDeliveries: left })
    void upload.to(sent.upload as StreamWriter)
    try {
      return await awaitOutcome(exchange, sent, terms.timeoutMs, upload)
    } catch (error) {
      if (!isSpaceError(error, 'WORKER_LOST') || !terms.repeatable || !upload.canRepeat || left <= 1) throw error
    }
  }
}

/**
 * Returns the outcome. The deadline and a closed connection withdraw the request. While a body is uploaded, progress
 * restarts the deadline.
 */
function awaitOutcome(
  { req: { socket }, edge }: Exchange,
  sent: Sent,
  timeoutMs: number,
  upload?: Upload,
): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      timeout.end()
      socket.off('close', onGone)
      if (!upload) return
      upload.onProgress = undefined
      upload.onFailed = onBroken
    }
    const giveUp = (reason: unknown): void => {
      settle()
      sent.withdraw()
      reject(reason)
    }
    // A response has started: the rest of the upload is not needed.
    const onBroken = (): void => sent.upload?.destroy('OUTCOME_UNKNOWN')
    // The event of the socket, not of the response: one that is queued behind another (pipelining) emits no close.
    const onGone = (): void => giveUp(CLIENT_GONE)
    const timeout = edge.space.timeouts.start(timeoutMs, () =>
      giveUp(upload?.isStalled ? BODY_TOO_SLOW : new SpaceError('REQUEST_TIMEOUT')),
    )
    socket.on('close', onGone)
    if (upload) {
      upload.onProgress = () => timeout.restart()
      upload.onFailed = giveUp
    }
    sent.response.then(
      (response) => {
        settle()
        resolve(response)
      },
      (error) => {
        settle()
        reject(error)
      },
    )
  })
}

/** Writes an interim response (RFC 9110 §15.2). 100 was sent by the gateway, and HTTP/1.0 has no interim responses. */
function writeInterim({ req, res }: Exchange, { status, headers }: ResponseHead): void {
  if (res.headersSent || req.httpVersionMinor === 0) return
  const links = headers.filter((_, i) => i % 2 === 1 && headers[i - 1]?.toLowerCase() === 'link')
  try {
    if (status === 102) res.writeProcessing()
    else if (status === 103 && links.length > 0) res.writeEarlyHints({ link: links })
  } catch {
    // Node rejects malformed Link values; drop the hint, the final response is unaffected.
  }
}

/** Writes a streamed response; its client or its worker may go meanwhile. */
export async function relayed(
  exchange: Exchange,
  response: HttpResponse,
  rest: Rest,
  mustClose = !exchange.req.complete,
): Promise<void> {
  const { res, req, sent } = exchange
  const { socket } = req
  try {
    decodeHead(res, response, requestIdOf(exchange), isLast(exchange, mustClose))
  } catch (error) {
    sent?.withdraw()
    throw error
  }
  exchange.status = response.status
  await new Promise<void>((resolve) => {
    const onGone = (): void => {
      sent?.withdraw()
      exchange.code = 'CLIENT_GONE'
      resolve()
    }
    socket.once('close', onGone)
    void relay(res, rest).then((code) => {
      socket.off('close', onGone)
      exchange.code = code
      resolve()
    })
  })
}

function writeAnswer(exchange: Exchange, response: HttpResponse): void {
  const { req, res } = exchange
  // The response precedes the end of the request body.
  const early = exchange.upload !== undefined && !req.complete
  exchange.upload?.stop()
  decode(
    res,
    response,
    requestIdOf(exchange),
    isLast(exchange, early),
    early ? () => endAfterReading(req, res) : undefined,
  )
  exchange.status = response.status
}

/** Returns whether the answer ends its connection. Then nothing behind it is admitted. */
function isLast({ req, res, edge }: Exchange, mustClose: boolean): boolean {
  if (!mustClose && (edge.phase === 'open' || isFollowed(res))) return false
  // A connection of HTTP/2 has further streams, and other classes.
  if (res instanceof ServerResponse) finishConnection(req.socket)
  return true
}

/** Answers with one clear error (promise 4 of DESIGN §3). */
export function refuseExchange(exchange: Exchange, reason: unknown): void {
  const { req, res, head, edge } = exchange
  if (reason === CLIENT_GONE || req.socket.destroyed) {
    exchange.status = 499
    return
  }
  const refusal = refusalOf(reason)
  exchange.status = refusal.status
  exchange.code = refusal.code
  if (refusal.status >= 500) edge.ownErrors.count(exchange.service)
  if (isAccident(reason))
    edge.log.error({ id: requestIdOf(exchange), err: reason }, 'a request failed for a reason that is ours')
  if (res.headersSent) {
    // In a mounted handler the owner of the server has started a response; it can only be cut off.
    res.destroy()
    return
  }
  const unread = (head === undefined || head.length !== 0) && !req.complete
  const close = isLast(exchange, refusal.close || unread)
  const body = problemBody(refusal)
  res.writeHead(refusal.status, reasonPhrase(refusal), problemHeaders(refusal, body, requestIdOf(exchange), close))
  if (!unread || isUnparsable(reason)) return void res.end(body)
  res.write(body)
  endAfterReading(req, res)
}

/** A close while the client still sends resets the connection and loses the response (RFC 9112 §9.6). */
function endAfterReading(req: IncomingMessage, res: ServerResponse): void {
  const end = (): void => {
    clearTimeout(timer)
    res.end()
  }
  const timer = setTimeout(end, LINGER_MS)
  req.once('end', end).once('close', end).resume()
}

/** Ends an exchange: releases its slot, counts it and logs it. */
export function finish(exchange: Exchange): void {
  const { limits, watch, log } = exchange.edge
  if (exchange.entered) limits.leave(exchange.bytes)
  if (exchange.load) exchange.load.waiting--
  watch?.open.remove(exchange)
  exchange.span?.end(exchange.status, { id: requestIdOf(exchange) })
  if (log === silent && !watch) return
  const ms = monotonicMs() - exchange.since
  watch?.counters.of(exchange.service).ended(exchange.status, ms)
  if (log !== silent) recordOutcome(exchange, ms)
}

function recordOutcome(exchange: Exchange, ms: number): void {
  const target = exchange.head?.target ?? exchange.req.url ?? ''
  const query = target.indexOf('?')
  const path = query < 0 ? target : target.slice(0, query)
  const id = requestIdOf(exchange)
  const fields = {
    id,
    entry: exchange.entryId === id ? undefined : exchange.entryId,
    client: exchange.head?.client?.address ?? unmapped(exchange.req.socket.remoteAddress),
    method: exchange.req.method,
    path,
    status: exchange.status,
    code: exchange.code,
    ms: Math.round(ms * 10) / 10,
  }
  exchange.edge.log.info(fields, 'request')
}

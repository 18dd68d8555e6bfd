/** Runs a `{ fetch }` app (Hono and others): a standard Request in, a standard Response out. */
import { STATUS_CODES } from 'node:http'
import { SpaceError } from '../../src/errors.js'
import { HOST, isBodiless } from '../../src/request/http.js'
import type { Sink } from '../../src/request/streams/collector.js'
import { bufferOf, readableOf, roomIn } from '../../src/request/streams/web.js'
import { clientOf, type HttpRequest, type ResponseHead } from '../../src/request.js'
import type { Handler, TurnContext } from '../handler.js'
import { plain } from '../response.js'
import { Peer } from './ends.js'

export interface FetchApp {
  /**
   * `env` is `{ incoming: { socket } }`, as @hono/node-server passes it: `getConnInfo(c)` reads the client's address
   * there.
   */
  fetch(request: Request, env?: unknown): Response | Promise<Response>
}

/** Methods that the Fetch standard forbids. */
const FORBIDDEN = new Set(['CONNECT', 'TRACE', 'TRACK'])

const READS_IN_A_ROW = 32

export function fetchHandler(app: FetchApp): Handler {
  return async (request, turn) => {
    const url = urlOf(request)
    if (!url) return plain(400, 'The Host header or the request target is not one.')
    if (FORBIDDEN.has(request.method.toUpperCase())) return plain(501, 'This method is not supported.')
    const env = { incoming: { socket: new Peer(request) } }
    const response: unknown = await app.fetch(requestOf(request, url, turn.signal), env)
    if (!isResponse(response)) throw new SpaceError('BAD_RESPONSE', 'fetch did not return a Response.')
    // The body is read first: a lazy Response (h3's) has no Content-Type of its body before that.
    const { body, status } = response
    const reason = response.statusText || (STATUS_CODES[status] ?? 'unknown')
    const head = { status, reason, headers: fieldListOf(response.headers) }
    return { ...head, body: await streamBody(body, head, request.method, turn) }
  }
}

function urlOf(request: HttpRequest): string | undefined {
  const { target } = request
  if (/^https?:\/\//i.test(target)) return URL.canParse(target) ? target : undefined
  const { protocol, host = 'localhost' } = clientOf(request)
  if (!HOST.test(host)) return undefined
  // Joined, not resolved: `//other.example/` is a path here. `*` (OPTIONS) has none.
  const url = `${protocol}://${host}${target.startsWith('/') ? target : '/'}`
  return URL.canParse(url) ? url : undefined
}

function requestOf({ method, headers, body, rest }: HttpRequest, url: string, signal: AbortSignal): Request {
  const fields = new Headers()
  for (let i = 0; i < headers.length; i += 2) fields.append(headers[i] as string, headers[i + 1] as string)
  const bodiless = (body.length === 0 && !rest) || method === 'GET' || method === 'HEAD'
  const all = rest ? readableOf(body, rest) : body
  return new Request(url, { method, headers: fields, signal, ...(bodiless ? {} : { body: all, duplex: 'half' }) })
}

/** Not `instanceof`: apps bring Response classes of their own. */
function isResponse(value: unknown): value is Response {
  const response = value as Response | null | undefined
  return typeof response?.status === 'number' && typeof response.headers?.getSetCookie === 'function'
}

function fieldListOf(headers: Headers): string[] {
  const list: string[] = []
  // Headers yield each Set-Cookie by itself and join the other fields.
  for (const [name, value] of headers) list.push(name, value)
  return list
}

/** A response that takes longer, or is larger, is streamed. */
const SOON_MS = 10
const MOST_KEPT = 64 * 1024

/**
 * Returns the complete body, or an empty one if HTTP has none or the body was streamed. The body is read or cancelled
 * to its end in every case: its source may hold a file or a socket.
 */
async function streamBody(
  body: ReadableStream | null,
  head: ResponseHead,
  method: string,
  turn: TurnContext,
): Promise<Buffer> {
  if (!body) return Buffer.alloc(0)
  if (turn.wasCut || isBodiless(head.status, method)) {
    await body.cancel(turn.wasCut ? turn.signal.reason : undefined)
    return Buffer.alloc(0)
  }
  const reader = body.getReader()
  turn.onCut = (reason) => void reader.cancel(reason).catch(() => {})
  let kept: Uint8Array[] = []
  let size = 0
  let sink: Sink | undefined
  let failure: unknown
  const go = (): void => {
    clearTimeout(soon)
    try {
      sink = turn.startResponse(head)
      for (const chunk of kept) sink.write(bufferOf(chunk))
      kept = []
    } catch (error) {
      failure = error
      reader.cancel(error).catch(() => {})
    }
  }
  const soon = setTimeout(go, SOON_MS)
  try {
    for (let reads = 1; ; reads++) {
      const { done, value } = await reader.read()
      if (failure) throw failure
      if (done) break
      if (!(value instanceof Uint8Array))
        throw new SpaceError('BAD_RESPONSE', 'Its body contains a chunk that is not bytes.')
      size += value.length
      if (!sink) kept.push(value)
      else if (!sink.write(bufferOf(value))) await roomIn(sink)
      if (!sink && size > MOST_KEPT) go()
      // A stream that always has data would keep other work, and the deadline of its own turn, from running.
      if (reads % READS_IN_A_ROW === 0) await new Promise(setImmediate)
    }
  } finally {
    clearTimeout(soon)
  }
  turn.onCut = undefined
  return Buffer.concat(kept)
}

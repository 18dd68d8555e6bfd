/** Runs a `{ fetch }` app (Hono and others): a standard Request in, a standard Response out. */
import { STATUS_CODES } from 'node:http'
import { SpaceError } from '../../src/errors.js'
import type { HttpRequest } from '../../src/request.js'
import type { Handler, TurnContext } from '../handler.js'
import { plain } from '../response.js'

export interface FetchApp {
  fetch(request: Request): Response | Promise<Response>
}

/** RFC 9112 §3.2 allows a name or address and a port; anything more (user info, a path) would become part of the URL. */
const HOST = /^(?:[A-Za-z0-9\-._~%!$&'()*+,;=]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/
/** What fetch itself refuses to carry (Fetch standard, forbidden methods). */
const FORBIDDEN = new Set(['CONNECT', 'TRACE', 'TRACK'])

const READS_IN_A_ROW = 32

export function fetchHandler(app: FetchApp): Handler {
  return async (request, turn) => {
    const url = urlOf(request)
    if (!url) return plain(400, 'The Host header or the request target is not one.')
    if (FORBIDDEN.has(request.method.toUpperCase())) return plain(501, 'This method is not supported.')
    const response: unknown = await app.fetch(requestOf(request, url, turn.signal))
    if (!isResponse(response)) throw new SpaceError('BAD_RESPONSE', 'fetch did not return a Response.')
    // The body is looked at first: a Response that is made only when asked for (h3's) has no Content-Type of its body's before that.
    const { body, status } = response
    const reason = response.statusText || (STATUS_CODES[status] ?? '')
    const head = { status, reason, headers: headersOf(response.headers) }
    return { ...head, body: await bodyOf(body, status, request.method, turn) }
  }
}

function urlOf({ target, headers, secure }: HttpRequest): string | undefined {
  if (/^https?:\/\//i.test(target)) return URL.canParse(target) ? target : undefined
  let host = 'localhost'
  for (let i = 0; i < headers.length; i += 2) {
    if ((headers[i] as string).toLowerCase() === 'host') host = headers[i + 1] as string
  }
  if (!HOST.test(host)) return undefined
  // Joined, not resolved: `//other.example/` is a path here. `*` (OPTIONS) has none.
  const url = `${secure ? 'https' : 'http'}://${host}${target.startsWith('/') ? target : '/'}`
  return URL.canParse(url) ? url : undefined
}

function requestOf({ method, headers, body }: HttpRequest, url: string, signal: AbortSignal): Request {
  const fields = new Headers()
  for (let i = 0; i < headers.length; i += 2) fields.append(headers[i] as string, headers[i + 1] as string)
  const bodiless = body.length === 0 || method === 'GET' || method === 'HEAD'
  return new Request(url, { method, headers: fields, signal, ...(bodiless ? {} : { body, duplex: 'half' }) })
}

/** Not `instanceof`: apps bring Response classes of their own. */
function isResponse(value: unknown): value is Response {
  const response = value as Response | null | undefined
  return typeof response?.status === 'number' && typeof response.headers?.getSetCookie === 'function'
}

function headersOf(headers: Headers): string[] {
  const list: string[] = []
  // Standard Headers give each Set-Cookie by itself and join the others.
  for (const [name, value] of headers) list.push(name, value)
  return list
}

/** The whole body, or nothing where HTTP has none; read or cancelled to its end in every case, for its source may hold a file or a socket. */
async function bodyOf(body: ReadableStream | null, status: number, method: string, turn: TurnContext): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  if (!body) return Buffer.alloc(0)
  if (turn.wasCut || method === 'HEAD' || status === 204 || status === 304) {
    await body.cancel(turn.wasCut ? turn.signal.reason : undefined)
    return Buffer.alloc(0)
  }
  const reader = body.getReader()
  turn.onCut = (reason) => void reader.cancel(reason).catch(() => {})
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    if (!(value instanceof Uint8Array))
      throw new SpaceError('BAD_RESPONSE', 'Its body holds something that is not bytes.')
    chunks.push(value)
    // A stream that is never at a loss would otherwise keep everybody else, and its own turn's deadline, from running.
    if (chunks.length % READS_IN_A_ROW === 0) await new Promise(setImmediate)
  }
  turn.onCut = undefined
  return Buffer.concat(chunks)
}

/** client.fetch: sends a standard Request through the space and returns a standard Response. */

import { LONGEST_TIMER_MS } from '../clock.js'
import { onlyKnown } from '../errors/unknown-option.js'
import { SpaceError } from '../errors.js'
import { type HttpRequest, type HttpResponse, type Sent, sendRequest } from '../request.js'
import { onAbort } from '../runtime/abort.js'
import { withDeadline } from '../runtime/deadline.js'
import type { Space } from '../space.js'
import { IDEMPOTENT_METHODS } from './http.js'
import type { StreamWriter } from './streams/index.js'
import { bufferOf, readableOf, roomIn } from './streams/web.js'

export interface ClientFetchOptions extends Omit<RequestInit, 'priority'> {
  /**
   * Time until the call rejects with REQUEST_TIMEOUT, in ms; progress of a streamed body restarts it. Default 30 000.
   */
  readonly timeoutMs?: number | undefined
  /** The service. Default: the client's. */
  readonly service?: string | undefined
  /** Higher is taken first, -128 to 127. Default 0. */
  readonly priority?: number | undefined
  /**
   * True if the request may run again when its worker dies. Default: true for an idempotent method (RFC 9110 §9.2.2) or
   * with an Idempotency-Key.
   */
  readonly repeatable?: boolean | undefined
}

/** Statuses without a body in the Fetch standard. */
const BODILESS = new Set([204, 205, 304])

/** Options of client.fetch, of the Fetch standard and of undici. */
const OPTIONS: ReadonlySet<string> = new Set([
  ...['timeoutMs', 'service', 'priority', 'repeatable'],
  ...['method', 'headers', 'body', 'signal', 'duplex', 'redirect', 'credentials', 'cache', 'mode', 'integrity'],
  ...['keepalive', 'referrer', 'referrerPolicy', 'window', 'dispatcher'],
])

/** Options of `fetch` that may be null. */
const NULLABLE: ReadonlySet<string> = new Set(['body', 'signal', 'window'])

/** @throws SpaceError INVALID_ARGUMENT */
export const checkedFetch = (options: ClientFetchOptions): ClientFetchOptions =>
  onlyKnown('client.fetch', options, OPTIONS, {}, NULLABLE)

type BodyReader = ReadableStreamDefaultReader<Uint8Array>

/** A larger body, or one that takes longer than SOON_MS, is streamed. */
const MOST_COLLECTED = 65_536
const SOON_MS = 20

export async function fetchThrough(
  space: Space,
  input: string | URL | Request,
  options: ClientFetchOptions & { service: string },
  trace: readonly string[] = [],
): Promise<Response> {
  const { timeoutMs = 30_000, service, priority = 0, repeatable, signal: given, ...init } = options
  if (typeof timeoutMs !== 'number' || !(timeoutMs > 0) || timeoutMs > LONGEST_TIMER_MS) {
    throw new SpaceError('INVALID_ARGUMENT', `timeoutMs must be a number of milliseconds up to ${LONGEST_TIMER_MS}.`)
  }
  const request = new Request(typeof input === 'string' ? new URL(input, 'http://localhost') : input, {
    ...init,
    ...(given === null ? { signal: null } : {}),
  })
  for (let i = 0; i < trace.length; i += 2) request.headers.set(trace[i]!, trace[i + 1]!)
  // Not passed to the Request: undici would raise the listener limit of the user's signal.
  const signal = given ?? request.signal
  signal.throwIfAborted()
  const again = repeatable ?? (IDEMPOTENT_METHODS.has(request.method) || request.headers.has('idempotency-key'))
  const body = await collect(request)
  const sent = sendRequest(space, httpRequestOf(request, body), { service, timeoutMs, priority, repeatable: again })
  const response = await withDeadline(sent.response, {
    timeoutMs,
    timeouts: space.timeouts,
    signal,
    late: () => new SpaceError('REQUEST_TIMEOUT'),
    onGivenUp: () => sent.withdraw(),
    onStart: (restart) => sent.upload && void upload(body, sent.upload, restart),
  })
  return responseOf(response, request, signal, sent)
}

interface Body {
  readonly first: Buffer
  /** The source of the rest. */
  readonly reader?: BodyReader
  /** The pending read. */
  readonly next?: ReturnType<BodyReader['read']>
}

/** Returns the complete body if it is small and arrives soon; else its beginning. */
async function collect(request: Request): Promise<Body> {
  if (!request.body) return { first: Buffer.alloc(0) }
  const reader = request.body.getReader() as BodyReader
  const chunks: Buffer[] = []
  let size = 0
  let timer: NodeJS.Timeout | undefined
  const soon = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, SOON_MS, undefined)
  })
  try {
    while (size <= MOST_COLLECTED) {
      const next = reader.read()
      const read = await Promise.race([next, soon])
      if (!read) return { first: Buffer.concat(chunks), reader, next }
      if (read.done) return { first: Buffer.concat(chunks) }
      chunks.push(bufferOf(read.value))
      size += read.value.length
    }
    return { first: Buffer.concat(chunks), reader, next: reader.read() }
  } finally {
    clearTimeout(timer)
  }
}

async function upload({ reader, next }: Body, writer: StreamWriter, onProgress: () => void): Promise<void> {
  try {
    for (let read = next!; ; read = reader!.read()) {
      const { done, value } = await read
      onProgress()
      if (done) return writer.end(Buffer.alloc(0))
      if (!writer.write(bufferOf(value))) await roomIn(writer)
      if (!writer.isOpen) return await reader!.cancel()
    }
  } catch {
    writer.destroy('OUTCOME_UNKNOWN')
  }
}

function httpRequestOf(request: Request, { first, reader }: Body): HttpRequest {
  const { host, pathname, search, protocol } = new URL(request.url)
  const headers = ['host', host]
  for (const [name, value] of request.headers)
    if (name !== 'host' && name !== 'content-length') headers.push(name, value)
  if (reader) headers.push('transfer-encoding', 'chunked')
  else if (request.body) headers.push('content-length', String(first.length))
  return {
    method: request.method,
    target: pathname + search,
    httpVersion: '1.1',
    headers,
    body: first,
    more: reader ? 'body' : undefined,
    peer: '127.0.0.1',
    secure: protocol === 'https:',
  }
}

/** The signal is heeded until the end of the body, as in fetch. */
function responseOf(response: HttpResponse, request: Request, signal: AbortSignal, sent: Sent): Response {
  const headers = new Headers()
  for (let i = 0; i < response.headers.length; i += 2) headers.append(response.headers[i]!, response.headers[i + 1]!)
  const bodiless = BODILESS.has(response.status) || request.method === 'HEAD'
  const { status, reason: statusText, rest } = response
  if (bodiless) rest?.cancel()
  if (bodiless || !rest) {
    return new Response(bodiless ? null : new Uint8Array(response.body), { status, statusText, headers })
  }
  const unlisten = onAbort(signal, () => sent.withdraw())
  const body = readableOf(response.body, rest, unlisten)
  return new Response(body, { status, statusText, headers })
}

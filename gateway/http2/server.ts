/** HTTP/2: node:http2 with a bound on everything that a client can delay, repeat or leave open. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { Socket } from 'node:net'
import { monotonicMs } from '../../src/clock.js'
import { MAX_HEADER_LINES } from '../encode.js'
import { FIRST_WITHIN_MS } from '../first-bytes.js'
import { StreamConnection } from './connection.js'
import { LOOK_MS, Overhead } from './overhead.js'
import { StreamRequest } from './request.js'
import { LARGEST_HEAD_BYTES, StreamResponse } from './response.js'
import { Silence } from './silence.js'
import { isWebSocket, tunnel } from './web-socket.js'

/** Time that a session which has been told to end has for that. */
const GOODBYE_MS = 1_000
/** Requests that a session may cancel at once, and from then on. */
const MOST_RESETS = 500
const RESETS_PER_SECOND = 50
/** Pseudo-fields of a request, which count as header lines. */
const PSEUDO_FIELDS = 4

const OPTIONS = {
  maxHeaderListPairs: MAX_HEADER_LINES + 1 + PSEUDO_FIELDS,
  maxSessionInvalidFrames: 100,
  maxSessionRejectedStreams: 100,
  maxOutstandingPings: 10,
  maxSettings: 32,
  /** response.ts has the limit. */
  maxSendHeaderBlockLength: 2 * LARGEST_HEAD_BYTES,
  /** MB of one session, for heads and what waits to be sent. */
  maxSessionMemory: 10,
  settings: {
    maxConcurrentStreams: 250,
    maxHeaderListSize: 16_384,
    initialWindowSize: 262_144,
    enableConnectProtocol: true,
  },
}

interface Watched {
  readonly overhead: Overhead
  readonly silence: Silence
}

export interface Http2Front {
  /** Serves a connection that begins with the preface of HTTP/2. */
  serve(socket: Socket): void
  /** Begins no stream any more; sessions end with their last stream. */
  close(): void
  /** Ends all sessions at once. */
  destroy(): void
}

/** `idleMs`: how long a session without a stream stays open. WebSockets are given to `serveHttp1`. */
export function createHttp2(
  idleMs: number,
  onRequest: (req: IncomingMessage, res: ServerResponse, expects100: boolean) => void,
  serveHttp1: (socket: Socket) => void,
): Http2Front {
  const server: Http2Server = createServer(OPTIONS)
  const sessions = new Map<ServerHttp2Session, Watched>()
  let looking: NodeJS.Timeout | undefined
  const look = (): void => {
    const now = monotonicMs()
    for (const [session, { overhead, silence }] of sessions) {
      if (overhead.isTooMuch()) endForExcess(session)
      else silence.look(now)
    }
  }
  /** The connection that is being served. */
  let connection: Socket
  let isClosing = false
  server.on('session', (session) => {
    const silence = new Silence(session, connection, monotonicMs())
    sessions.set(session, { overhead: new Overhead(connection), silence })
    looking ??= setInterval(look, LOOK_MS).unref()
    endIfIdle(session, idleMs)
    session.once('close', () => {
      sessions.delete(session)
      if (sessions.size > 0) return
      clearInterval(looking)
      looking = undefined
    })
    if (isClosing) session.close()
  })
  // Errors of single sessions; each has ended.
  server.on('sessionError', () => {})
  server.on(
    'stream',
    (stream: ServerHttp2Stream, _headers: IncomingHttpHeaders, _flags: number, raw: readonly string[]) => {
      stream.on('error', () => {})
      const overhead = sessions.get(stream.session as ServerHttp2Session)?.overhead
      if (!overhead) return
      overhead.requests++
      if (isWebSocket(raw)) return tunnel(stream, raw, overhead, serveHttp1)
      const req = new StreamRequest(stream, raw, new StreamConnection(stream, overhead))
      const res = new StreamResponse(stream, req)
      onRequest(req as unknown as IncomingMessage, res as unknown as ServerResponse, req.expects100)
    },
  )
  return {
    serve(socket) {
      connection = socket
      // A client of HTTP/2 that has closed its side has left.
      socket.allowHalfOpen = false
      server.emit('connection', socket)
    },
    close() {
      isClosing = true
      for (const [session, { silence }] of sessions) {
        // A session that does not answer is not waited for.
        silence.ask()
        session.close()
      }
    },
    destroy() {
      for (const session of sessions.keys()) session.destroy()
    },
  }
}

/**
 * Closes a session. Events of streams are emitted while node:http2 reads a chunk: a session that ends meanwhile can
 * abort the process (nodejs/node#38964). Without an error, node:http2 ignores the code.
 */
function endForExcess(session: ServerHttp2Session): void {
  const error = new Error('The client sent too much.')
  setImmediate(() => session.destroy(error, constants.NGHTTP2_ENHANCE_YOUR_CALM))
}

/** Frames that begin no stream do not keep a session open. */
function endIfIdle(session: ServerHttp2Session, idleMs: number): void {
  let open = 0
  let goodbye: NodeJS.Timeout | undefined
  const end = (): void => {
    if (open > 0) return
    session.close()
    goodbye = setTimeout(() => session.destroy(), GOODBYE_MS)
  }
  let timer = setTimeout(end, FIRST_WITHIN_MS)
  let resets = 0
  let countedAt = monotonicMs()
  /** A client that begins requests to cancel them (CVE-2023-44487) costs work that its streams do not count. */
  const countReset = (): void => {
    const now = monotonicMs()
    resets = Math.max(resets - ((now - countedAt) / 1_000) * RESETS_PER_SECOND, 0) + 1
    countedAt = now
    if (resets > MOST_RESETS) endForExcess(session)
  }
  session.on('stream', (stream: ServerHttp2Stream) => {
    open++
    clearTimeout(timer)
    stream.once('aborted', countReset)
    stream.once('close', () => {
      if (--open > 0 || session.destroyed) return
      clearTimeout(timer)
      timer = setTimeout(end, idleMs)
    })
  })
  session.once('close', () => {
    clearTimeout(timer)
    clearTimeout(goodbye)
  })
}

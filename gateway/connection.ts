/** The order of answers on one connection: refusals wait for earlier answers, and nothing behind a last answer runs. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { type Refusal, rawAnswer } from './refusals.js'

/** How long bytes behind a last answer are read and dropped. */
export const LINGER_MS = 1_000

/** Fields of Node.js that its types leave out. */
interface HttpSocket extends Socket {
  /** The oldest response that is not finished. */
  readonly _httpMessage?: ServerResponse | null
}

/** Connections that have had, or are about to have, their last answer. */
const finished = new WeakSet<Socket>()
/** The youngest response of each connection on which requests were sent ahead of their answers (pipelining). */
const youngest = new WeakMap<Socket, ServerResponse>()

export const isFinished = (socket: Socket): boolean => finished.has(socket)

/** Returns the oldest response of the connection that is not finished. */
export const oldestAnswer = (socket: Socket): ServerResponse | undefined =>
  (socket as HttpSocket)._httpMessage ?? undefined

/** Returns whether a request may run; false behind a last answer (RFC 9112 §9.6). */
export function isAdmissible(req: IncomingMessage, res: ServerResponse): boolean {
  if (finished.has(req.socket)) return false
  // Node.js gives the socket to one response at a time.
  if (res.socket === null) youngest.set(req.socket, res)
  return true
}

/** Returns whether a request behind this one has been admitted: its answer must still be possible. */
export function isFollowed(res: ServerResponse): boolean {
  const last = youngest.get(res.req.socket)
  return last !== undefined && last !== res && !last.writableFinished
}

/**
 * Makes the next answer of a connection its last one. Its end is a half-close, behind which bytes are still read: a
 * close at once would reset the connection, and the client would lose the answer (RFC 9112 §9.6).
 */
export function finishConnection(socket: Socket): void {
  if (finished.has(socket)) return
  finished.add(socket)
  const linger = (): void => {
    const timer = setTimeout(() => socket.destroy(), LINGER_MS)
    socket.once('close', () => clearTimeout(timer))
  }
  socket.destroySoon = () => {
    socket.end()
    // Behind an answer that the client reads slowly; unread.ts ends one that is not read.
    if (socket.writableFinished) linger()
    else socket.once('finish', linger)
  }
}

/** Calls `run` when all answers before that of `own`, or all answers, are written, unless the connection has ended. */
export function inTurn(socket: Socket, run: () => void, own?: IncomingMessage): void {
  const oldest = oldestAnswer(socket)
  // Node.js has registered its own listener before, which goes on to the next response.
  if (oldest && oldest.req !== own) oldest.once('finish', () => inTurn(socket, run, own))
  else if (socket.writable) run()
}

/** Handles a request for which Node.js has detached the connection, as `inTurn` does; not behind a last answer. */
export function whenDetached(socket: Socket, handle: () => void): void {
  socket.on('error', () => {})
  if (!finished.has(socket)) inTurn(socket, handle)
}

/** Ends a connection with an answer to bytes that are no request. */
export function endWith(socket: Socket, refusal: Refusal): void {
  socket.write(rawAnswer(refusal))
  socket.destroySoon()
}

/**
 * Unread responses: a connection whose client reads nothing of what was written to it is ended. Only progress of
 * writing keeps it, as far as this process can see that: a client may send bytes for ever without reading one.
 */
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { monotonicMs } from '../src/clock.js'

/** How often connections with unread bytes are looked at. */
const LOOK_MS = 1_000

interface Watched {
  readonly limitMs: number
  /** The last response that was ended on the connection; undefined if it has left HTTP. */
  last: ServerResponse | undefined
  /** The progress of writing that was last seen, and since when there was no other. */
  progress: number
  since: number
}

/** Fields of Node.js that its types leave out; its own timeout of a socket uses them, too. */
interface WithHandle {
  readonly _handle?: { readonly bytesWritten?: number; readonly writeQueueSize?: number } | null
}

const unread = new Map<Socket, Watched>()
let timer: NodeJS.Timeout | undefined

/**
 * Ends the connection if its client reads nothing for `limitMs`, as long as it has something to read. `res`: a response
 * that may be queued behind others of its connection (pipelining), and is then watched until it is sent.
 */
export function endUnlessRead(socket: Socket, limitMs: number, res?: ServerResponse): void {
  if (socket.destroyed || !hasMore(socket, res)) return
  const watched = unread.get(socket)
  if (watched?.limitMs === limitMs) {
    watched.last = res
    return
  }
  const since = watched?.since ?? monotonicMs()
  unread.set(socket, { limitMs, last: res, progress: progressOf(socket), since })
  timer ??= setInterval(look, LOOK_MS).unref()
}

/** Returns whether bytes wait for the client, or a response waits for one that is still to come. */
const hasMore = (socket: Socket, last: ServerResponse | undefined): boolean =>
  socket.writableLength > 0 || (last !== undefined && last.socket === null && !last.writableFinished)

function look(): void {
  const now = monotonicMs()
  for (const [socket, watched] of unread) {
    const progress = progressOf(socket)
    if (socket.destroyed || !hasMore(socket, watched.last)) {
      unread.delete(socket)
    } else if (progress !== watched.progress || socket.writableLength === 0) {
      watched.progress = progress
      watched.since = now
    } else if (now - watched.since >= watched.limitMs) {
      unread.delete(socket)
      socket.destroy()
    }
  }
  if (unread.size > 0) return
  clearInterval(timer)
  timer = undefined
}

/**
 * Returns how many bytes the system has taken. A chunk counts bit by bit, so that a slow client counts as reading; what
 * waits behind it does not count.
 */
function progressOf(socket: Socket): number {
  const { bytesWritten, writeQueueSize } = (socket as WithHandle)._handle ?? {}
  if (bytesWritten === undefined || writeQueueSize === undefined) return socket.bytesWritten - socket.writableLength
  return bytesWritten - writeQueueSize
}

/**
 * Half-closed connections: a client that has closed its side still gets its answers, unless it has left. Both look the
 * same, but the system of a client that has left answers the next bytes with a reset. So the first letters of the
 * answer, which are the same for all answers, are sent ahead, one at a time.
 */
import type { Socket } from 'node:net'
import { oldestAnswer } from './connection.js'

/**
 * A write behind the reset fails. The second letter is sent in the turn of the first: the reset of a client on this
 * machine, such as a proxy, is there by then. Each further wait is four times as long, up to 1.4 s after the first.
 */
const FIRST_WAIT_MS = 1
const LETTERS = 'HTTP/1.1'

/** Connections on which the next write is a letter, or the answer behind some. */
const probed = new WeakSet<Socket>()

/** Handles the event 'end'. */
export function answerHalfClosed(socket: Socket): void {
  const res = oldestAnswer(socket)
  // Without an answer to wait for, Node.js has ended the connection.
  if (!res || !socket.writable) return
  if (res.writableEnded) res.once('finish', () => answerHalfClosed(socket))
  // A stream can wait for its next bytes for long: its client counts as gone.
  else if (res.headersSent) socket.end()
  else probe(socket)
}

function probe(socket: Socket): void {
  if (probed.has(socket)) return
  probed.add(socket)
  let sent = 0
  let timer: NodeJS.Timeout | undefined
  const { write } = socket
  const sendLetter = (): void => {
    if (!socket.destroyed && sent < LETTERS.length) write.call(socket, LETTERS.charAt(sent++), 'latin1')
  }
  const sendRest = (waitMs: number): void => {
    sendLetter()
    if (!socket.destroyed && sent < LETTERS.length) timer = setTimeout(sendRest, waitMs, waitMs * 4).unref()
  }
  // The answer itself: its head, without these letters.
  socket.write = (chunk: Uint8Array | string, ...rest: unknown[]): boolean => {
    clearImmediate(second)
    clearTimeout(timer)
    socket.write = write
    probed.delete(socket)
    return Reflect.apply(write, socket, [chunk.slice(sent), ...rest])
  }
  sendLetter()
  const second = setImmediate(sendRest, FIRST_WAIT_MS)
}

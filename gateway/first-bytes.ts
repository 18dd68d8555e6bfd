/** The first bytes of a connection, read before its server sees it. */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/** Time for a handshake of TLS, a preface or the head of a first request; the default of Node.js is 60 s. */
export const FIRST_WITHIN_MS = 9_000

/** Makes a server ask `take` about each connection first; `accept` gives the connection to the server. */
export function intercept(server: Server, take: (socket: Socket, accept: () => void) => void): void {
  const listeners = server.listeners('connection') as ((socket: Socket) => void)[]
  server.removeAllListeners('connection')
  server.on('connection', (socket: Socket) => {
    take(socket, () => {
      for (const listener of listeners) listener.call(server, socket)
    })
  })
}

/** The value of first bytes, and how many bytes it has; the rest is for the server. */
export interface First<T> {
  readonly value: T
  readonly length: number
}

/**
 * Reads until `judge` has decided, then calls `done` once: with the value, or with undefined if `judge` has refused the
 * bytes, if there were not enough of them in time, or if the client has left.
 */
export function readFirst<T>(
  socket: Socket,
  withinMs: number,
  judge: (bytes: Buffer) => First<T> | 'incomplete' | 'malformed',
  done: (value: T | undefined) => void,
): void {
  let bytes: Buffer = Buffer.alloc(0)
  const settle = (): void => {
    clearTimeout(timer)
    socket.off('readable', onReadable).off('end', onGone).off('close', onGone).off('error', onGone)
  }
  const onGone = (): void => {
    settle()
    socket.on('error', () => {})
    done(undefined)
  }
  const onReadable = (): void => {
    for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) {
      bytes = Buffer.concat([bytes, chunk])
      const found = judge(bytes)
      if (found === 'incomplete') continue
      if (found === 'malformed') return onGone()
      settle()
      if (bytes.length > found.length) socket.unshift(bytes.subarray(found.length))
      return done(found.value)
    }
  }
  const timer = setTimeout(onGone, withinMs)
  socket.on('readable', onReadable).on('end', onGone).on('close', onGone).on('error', onGone)
}

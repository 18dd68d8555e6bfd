/** HTTP/2 without TLS, by prior knowledge (RFC 9113 §3.3): connections that begin with its preface. */
import type { Server } from 'node:http'
import { Socket } from 'node:net'

/** The beginning of the preface; no method of HTTP/1.1 begins so. */
const PREFACE = Buffer.from('PRI ')
/** Time for the first bytes, as for the head of a request. */
const FIRST_WITHIN_MS = 9_000

/** Makes a server give such connections to `serve`, before it sees them. */
export function takePrefaces(server: Server, serve: (socket: Socket) => void): void {
  const listeners = server.listeners('connection') as ((socket: Socket) => void)[]
  server.removeAllListeners('connection')
  const seen = new WeakSet<Socket>()
  server.on('connection', (socket: Socket) => {
    const accept = (): void => {
      for (const listener of listeners) listener.call(server, socket)
    }
    // A connection that the server has seen before, whose upgrade was ignored; or a stream of HTTP/2 itself.
    if (seen.has(socket) || !(socket instanceof Socket)) return accept()
    seen.add(socket)
    decide(socket, (isHttp2) => (isHttp2 ? serve(socket) : accept()))
  })
}

function decide(socket: Socket, done: (isHttp2: boolean) => void): void {
  let bytes: Buffer = Buffer.alloc(0)
  const settle = (): void => {
    clearTimeout(timer)
    socket.off('readable', onReadable).off('end', onGone).off('error', onGone)
  }
  const onGone = (): void => {
    settle()
    socket.on('error', () => {}).destroy()
  }
  const onReadable = (): void => {
    for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) bytes = Buffer.concat([bytes, chunk])
    const length = Math.min(bytes.length, PREFACE.length)
    const fits = bytes.compare(PREFACE, 0, length, 0, length) === 0
    if (fits && length < PREFACE.length) return
    settle()
    if (bytes.length > 0) socket.unshift(bytes)
    done(fits)
  }
  const timer = setTimeout(onGone, FIRST_WITHIN_MS)
  socket.on('readable', onReadable).on('end', onGone).on('error', onGone)
}

/** HTTP/2 without TLS, by prior knowledge (RFC 9113 §3.3): connections that begin with its preface. */
import type { Server } from 'node:http'
import { Socket } from 'node:net'
import { FIRST_WITHIN_MS, type First, intercept, readFirst } from '../first-bytes.js'

/** The beginning of the preface; no method of HTTP/1.1 begins so. */
const PREFACE = Buffer.from('PRI ')

/** Makes a server give such connections to `serve`, before it sees them. */
export function takePrefaces(server: Server, serve: (socket: Socket) => void): void {
  const seen = new WeakSet<Socket>()
  intercept(server, (socket, accept) => {
    // A connection that the server has seen before, whose upgrade was ignored; or a stream of HTTP/2 itself.
    if (seen.has(socket) || !(socket instanceof Socket)) return accept()
    seen.add(socket)
    readFirst(socket, FIRST_WITHIN_MS, judge, (isHttp2) => {
      if (isHttp2 === undefined) socket.destroy()
      else if (isHttp2) serve(socket)
      else accept()
    })
  })
}

/** The server reads all bytes again. */
function judge(bytes: Buffer): First<boolean> | 'incomplete' {
  const length = Math.min(bytes.length, PREFACE.length)
  const fits = bytes.compare(PREFACE, 0, length, 0, length) === 0
  return fits && length < PREFACE.length ? 'incomplete' : { value: fits, length: 0 }
}

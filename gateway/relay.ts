/**
 * Relays a streamed response body to its client. An incomplete body ends with a cut connection, so that it does not
 * look complete.
 */
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { CUT_SHORT, isBodiless } from '../src/request/http.js'
import type { Rest } from '../src/request/message.js'
import { pairsOf } from './decode.js'
import { passedOn } from './fields.js'
import { endUnlessRead } from './unread.js'

/** A client that reads nothing of a streamed response for this long is disconnected. */
export const UNREAD_STREAM_MS = 60_000

/** Node.js would have the writer wait at 16 KiB: a message of a stream, with 64 KiB, would be written in several steps. */
const MOST_UNSENT = 128 * 1024

/**
 * Resolves at the end of the body; with an error code if the body was incomplete. The caller watches for the client's
 * leaving.
 */
export function relay(res: ServerResponse, rest: Rest): Promise<string | undefined> {
  return new Promise((resolve) => {
    const { socket, req } = res
    const bodiless = isBodiless(res.statusCode, req.method)
    const finish = (code?: string): void => {
      res.off('drain', onDrain)
      resolve(code)
    }
    const onDrain = (): void => rest.resume()
    res.on('drain', onDrain)
    rest.read({
      onChunk(chunk) {
        if (bodiless) return true
        const room = res.write(chunk) || res.writableLength < MOST_UNSENT
        if (!room && socket) endUnlessRead(socket, UNREAD_STREAM_MS)
        return room
      },
      onEnd(trailers) {
        if (trailers.includes(CUT_SHORT)) {
          // The bytes written so far arrive before the end of the connection.
          socket?.destroySoon()
          return finish('BAD_RESPONSE')
        }
        const behind = bodiless || req.httpVersionMinor === 0 ? [] : passedOn(trailers)
        if (behind.length > 0 && res.chunkedEncoding) res.addTrailers(pairsOf(behind))
        res.end()
        if (socket) endUnlessRead(socket, UNREAD_STREAM_MS)
        finish()
      },
      onBroken(reason) {
        // In HTTP/1.0 only a reset tells an incomplete body from a complete one.
        if (req.httpVersionMinor === 0 && socket) reset(socket)
        else res.destroy()
        finish(reason)
      },
    })
    // A client sees a flushed head before the first byte of the body.
    res.flushHeaders()
  })
}

/** Node.js would end the stream in good order first. */
function reset(socket: Socket): void {
  socket.destroySoon = () => void socket.destroy()
  socket.resetAndDestroy()
}

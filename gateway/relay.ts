/** Relays a response's body to its client as it comes. One that breaks off is cut, so that no part of it looks like all. */
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { isBodiless } from '../src/request/http.js'
import type { Rest } from '../src/request/message.js'
import { pairsOf } from './decode.js'
import { passedOn } from './fields.js'

/** A client that takes nothing of what waits for it for so long is given up; Node.js takes the first interval for progress, so twice that. */
const SLOW_READER_MS = 30_000

/** Resolves when it has gone; with the code of what broke it off, if something did. The client's leaving is for others to see. */
export function relay(res: ServerResponse, rest: Rest): Promise<string | undefined> {
  return new Promise((resolve) => {
    const { socket, req } = res
    const bodiless = isBodiless(res.statusCode, req.method)
    const finish = (code?: string): void => {
      res.off('drain', onDrain)
      resolve(code)
    }
    const onDrain = (): void => {
      socket?.setTimeout(0)
      rest.resume()
    }
    res.on('drain', onDrain)
    rest.read({
      onChunk(chunk) {
        if (bodiless) return true
        const room = res.write(chunk)
        if (!room) socket?.setTimeout(SLOW_READER_MS)
        return room
      },
      onEnd(trailers) {
        const behind = bodiless || req.httpVersionMinor === 0 ? [] : passedOn(trailers)
        if (behind.length > 0 && res.chunkedEncoding) res.addTrailers(pairsOf(behind))
        res.end()
        if (socket && socket.writableLength > 0) socket.setTimeout(SLOW_READER_MS)
        finish()
      },
      onBroken(reason) {
        // HTTP/1.0 has no other way to tell a body that was cut from one that has ended.
        if (req.httpVersionMinor === 0 && socket) reset(socket)
        else res.destroy()
        finish(reason)
      },
    })
    // Whoever waits for a head that has been flushed sees it before there is a body.
    res.flushHeaders()
  })
}

/** Node.js would end the stream first, in good order, and reset it after that. */
function reset(socket: Socket): void {
  socket.destroySoon = () => void socket.destroy()
  socket.resetAndDestroy()
}

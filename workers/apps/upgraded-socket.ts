/** The socket of an `upgrade` listener: the client's connection, carried by two streams through the space. */
import { Duplex } from 'node:stream'
import type { HttpRequest, Rest } from '../../src/request.js'
import { addEnds, headBytes, REQUEST_OF_SOCKET } from './ends.js'

/** Receives the bytes that the app writes. */
export interface Writing {
  /** `done` is called when there is room for more. Throws if the bytes cannot be sent. */
  write(chunk: Buffer, done: () => void): void
}

export class UpgradedSocket extends Duplex {
  readonly [REQUEST_OF_SOCKET]: HttpRequest
  /** The http.Server whose `upgrade` listeners were given this socket. */
  server: unknown
  bytesRead: number
  bytesWritten = 0
  readonly #answer: Writing
  readonly #rest: Rest | undefined

  constructor(request: HttpRequest, server: unknown, answer: Writing) {
    // As the sockets of Node's http.Server: an app that is told of the client's end may still answer.
    super({ allowHalfOpen: true })
    const { body, rest } = request
    this[REQUEST_OF_SOCKET] = request
    this.server = server
    this.bytesRead = headBytes(request) + body.length
    this.#answer = answer
    this.#rest = rest
    if (body.length > 0) this.push(body)
    rest?.read({
      onChunk: (chunk) => {
        this.bytesRead += chunk.length
        return this.push(chunk)
      },
      onEnd: () => void this.push(null),
      onBroken: () => void this.destroy(),
    })
  }

  override _read(): void {
    this.#rest?.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    try {
      this.bytesWritten += chunk.length
      this.#answer.write(Buffer.from(chunk), done)
    } catch (error) {
      done(error as Error)
    }
  }

  /** Closes both sides: an app that ends its side does not read the other. */
  override _final(done: () => void): void {
    done()
    setImmediate(() => this.destroy())
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#rest?.cancel()
    done(error)
  }

  destroySoon(): void {
    this.end()
  }

  resetAndDestroy(): this {
    return this.destroy()
  }

  setTimeout(): this {
    return this
  }

  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }
}

addEnds(UpgradedSocket.prototype)

/**
 * StreamConnection: one stream of HTTP/2 in the place of a connection of HTTP/1.1. It has the addresses of its
 * connection, and ends with the stream.
 */
import { EventEmitter } from 'node:events'
import { constants, type ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { inheritHeader } from '../proxy-protocol.js'
import type { Overhead } from './overhead.js'

/** Returns the members of a connection that the gateway asks for its ends and its security. */
export const endsOf = (shared: Socket) => ({
  encrypted: (shared as TLSSocket).encrypted === true,
  authorized: (shared as TLSSocket).authorized === true,
  remoteAddress: shared.remoteAddress,
  remotePort: shared.remotePort,
  localAddress: shared.localAddress,
  localPort: shared.localPort,
  getPeerCertificate: () => (shared as TLSSocket).getPeerCertificate(),
})

type Ends = ReturnType<typeof endsOf>

/** A member that the gateway uses of a net.Socket is here, too. */
export class StreamConnection extends EventEmitter {
  declare readonly encrypted: Ends['encrypted']
  declare readonly authorized: Ends['authorized']
  declare readonly remoteAddress: Ends['remoteAddress']
  declare readonly remotePort: Ends['remotePort']
  declare readonly localAddress: Ends['localAddress']
  declare readonly localPort: Ends['localPort']
  declare readonly getPeerCertificate: Ends['getPeerCertificate']
  readonly #stream: ServerHttp2Stream
  /** Bytes of bodies written so far, including those that wait. */
  bytesWritten = 0
  /** The overhead of the session, which all its streams share. */
  readonly overhead: Overhead

  constructor(stream: ServerHttp2Stream, overhead: Overhead) {
    super()
    this.setMaxListeners(0)
    this.#stream = stream
    this.overhead = overhead
    Object.assign(this, endsOf(overhead.socket))
    inheritHeader(overhead.socket, this as unknown as Socket)
    stream.once('close', () => this.emit('close'))
  }

  get destroyed(): boolean {
    return this.#stream.destroyed || this.#stream.closed
  }

  get writable(): boolean {
    return !this.destroyed && this.#stream.writable
  }

  get writableLength(): number {
    return this.#stream.writableLength
  }

  /** Resets the stream; its connection goes on. */
  destroy(): this {
    if (!this.destroyed) this.#stream.close(constants.NGHTTP2_CANCEL)
    return this
  }

  resetAndDestroy(): this {
    return this.destroy()
  }

  destroySoon(): void {
    this.#stream.end()
  }
}

/**
 * StreamConnection: one stream of HTTP/2 in the place of a connection of HTTP/1.1. It has the addresses of its
 * connection, and ends with the stream.
 */
import { EventEmitter } from 'node:events'
import { constants, type ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import type { PeerCertificate, TLSSocket } from 'node:tls'
import { inheritHeader } from '../proxy-protocol.js'

/** A member that the gateway uses of a net.Socket is here, too. */
export class StreamConnection extends EventEmitter {
  readonly #stream: ServerHttp2Stream
  /** The connection that all its streams share. */
  readonly shared: Socket
  readonly encrypted: boolean
  readonly authorized: boolean
  readonly remoteAddress: string | undefined
  readonly remotePort: number | undefined
  readonly localAddress: string | undefined
  readonly localPort: number | undefined
  /** Bytes of bodies written so far, including those that wait. */
  bytesWritten = 0

  constructor(stream: ServerHttp2Stream, shared: Socket) {
    super()
    this.setMaxListeners(0)
    this.#stream = stream
    this.shared = shared
    this.encrypted = (shared as TLSSocket).encrypted === true
    this.authorized = (shared as TLSSocket).authorized === true
    this.remoteAddress = shared.remoteAddress
    this.remotePort = shared.remotePort
    this.localAddress = shared.localAddress
    this.localPort = shared.localPort
    inheritHeader(shared, this as unknown as Socket)
    stream.once('close', () => this.emit('close'))
  }

  getPeerCertificate(): PeerCertificate {
    return (this.shared as TLSSocket).getPeerCertificate()
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

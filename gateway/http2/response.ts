/** StreamResponse: writes a response to a stream of HTTP/2, by the members of a ServerResponse that the gateway uses. */
import { EventEmitter } from 'node:events'
import { validateHeaderName, validateHeaderValue } from 'node:http'
import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import { CONNECTION_FIELDS } from '../../src/request/http.js'
import type { StreamConnection } from './connection.js'
import type { StreamRequest } from './request.js'

/** node:http2 sends no status of another class (RFC 9110 §15), and throws only when it is to send the head. */
const LAST_STATUS = 599

/** Clients take up to nine frames of 16 KiB. */
export const LARGEST_HEAD_BYTES = 120_000
/** Each piece is one step of a reader: who reads as much within the limit of unread responses is not cut off. */
const PIECE_BYTES = 8_192

export class StreamResponse extends EventEmitter {
  readonly req: StreamRequest
  readonly socket: StreamConnection
  /** Trailers can be sent. */
  readonly chunkedEncoding = true
  statusCode = 200
  writableEnded = false
  readonly #stream: ServerHttp2Stream
  /** Set until it is sent. */
  #head: OutgoingHttpHeaders | undefined
  #trailers: OutgoingHttpHeaders | undefined

  constructor(stream: ServerHttp2Stream, req: StreamRequest) {
    super()
    this.req = req
    this.socket = req.socket
    this.#stream = stream
    for (const event of ['drain', 'finish', 'close'] as const) stream.on(event, () => this.emit(event))
  }

  get headersSent(): boolean {
    return this.#stream.headersSent || this.#head !== undefined
  }

  get writableFinished(): boolean {
    return this.#stream.writableFinished
  }

  /** Throws for a status, names and values that HTTP/2 does not allow. `fields`: name, value, name, value … */
  writeHead(status: number, _reason: string, fields: readonly string[]): this {
    if (status > LAST_STATUS) throw new RangeError(`HTTP/2 has no status ${status}.`)
    const head: OutgoingHttpHeaders = Object.create(null)
    let bytes = 0
    for (let i = 0; i < fields.length; i += 2) {
      const [name, value] = [fields[i] as string, fields[i + 1] as string]
      add(head, name, value)
      bytes += name.length + value.length
    }
    if (bytes > LARGEST_HEAD_BYTES) throw new RangeError('No client of HTTP/2 takes so large a head.')
    head[':status'] = status
    this.statusCode = status
    this.#head = head
    return this
  }

  flushHeaders(): void {
    this.#respond(false)
  }

  write(bytes: Buffer | string, encoding: BufferEncoding = 'utf8'): boolean {
    this.#respond(false)
    if (this.socket.destroyed) return false
    const body = typeof bytes === 'string' ? Buffer.from(bytes, encoding) : bytes
    this.socket.bytesWritten += body.length
    this.socket.overhead.bodyBytes += body.length
    let hasRoom = true
    for (let at = 0; at < body.length; at += PIECE_BYTES)
      hasRoom = this.#stream.write(body.subarray(at, at + PIECE_BYTES))
    return hasRoom
  }

  end(bytes?: Buffer | string, encoding: BufferEncoding = 'utf8'): this {
    if (this.writableEnded) return this
    this.writableEnded = true
    const isEmpty = bytes === undefined || bytes.length === 0
    if (isEmpty && this.#head) this.#respond(true)
    else if (!isEmpty) this.write(bytes, encoding)
    if (!this.socket.destroyed) this.#stream.end()
    return this
  }

  addTrailers(pairs: readonly (readonly [string, string])[]): void {
    this.#trailers = Object.create(null) as OutgoingHttpHeaders
    for (const [name, value] of pairs) add(this.#trailers, name, value)
  }

  writeContinue(): void {
    this.#interim({ ':status': 100 })
  }

  writeProcessing(): void {
    this.#interim({ ':status': 102 })
  }

  writeEarlyHints({ link }: { readonly link: readonly string[] }): void {
    for (const value of link) validateHeaderValue('link', value)
    this.#interim({ ':status': 103, link: [...link] })
  }

  /** Resets the stream, so that the response does not look complete. */
  destroy(): this {
    this.writableEnded = true
    if (!this.socket.destroyed) this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR)
    return this
  }

  #interim(head: OutgoingHttpHeaders): void {
    if (!this.headersSent && !this.socket.destroyed) this.#stream.additionalHeaders(head)
  }

  /** The rest of a request that is answered would keep its stream open (RFC 9113 §8.1). */
  #readNoMore(): void {
    if (this.req.complete) return
    // Behind the frame that ends the response.
    setImmediate(() => {
      if (!this.socket.destroyed) this.#stream.close(constants.NGHTTP2_NO_ERROR)
    })
  }

  #respond(isWhole: boolean): void {
    const head = this.#head
    if (!head) return
    this.#head = undefined
    if (this.socket.destroyed) return
    try {
      this.#stream.respond(head, isWhole ? { endStream: true } : { waitForTrailers: true })
    } catch (error) {
      // The client is told in any case.
      this.destroy()
      throw error
    }
    if (isWhole) return this.#readNoMore()
    this.#stream.once('wantTrailers', () => {
      this.#stream.sendTrailers(this.#trailers ?? {})
      this.#readNoMore()
    })
  }
}

/** HTTP/2 has no fields of a connection (RFC 9113 §8.2.2). */
const OF_CONNECTION: ReadonlySet<string> = new Set(CONNECTION_FIELDS)

function add(fields: OutgoingHttpHeaders, name: string, value: string): void {
  const lower = name.toLowerCase()
  if (OF_CONNECTION.has(lower)) return
  validateHeaderName(name)
  validateHeaderValue(name, value)
  const before = fields[lower]
  if (before === undefined) fields[lower] = value
  // The one field whose lines are no list (RFC 9110 §5.3).
  else if (lower === 'set-cookie') fields[lower] = [before, value].flat().map(String)
  else fields[lower] = `${before}, ${value}`
}

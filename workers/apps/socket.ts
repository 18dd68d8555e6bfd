/**
 * The object at `req.socket` and `res.socket`. The client's own connection ends in the gateway; this object keeps what
 * the response writes. It implements the part of net.Socket that IncomingMessage, ServerResponse and frameworks use.
 */
import { AsyncResource } from 'node:async_hooks'
import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Sink } from '../../src/request/streams/collector.js'
import type { HttpRequest } from '../../src/request.js'
import { addEnds, headBytes, REQUEST_OF_SOCKET } from './ends.js'

/** As of a net.Socket: bytes that may be written before a writer is told to wait for `drain`. */
const HIGH_WATER_MARK = 16 * 1024

/** A response that takes longer, from its first byte on, is streamed. */
const SOON_MS = 10
/** A larger body is streamed. */
const MOST_KEPT = 64 * 1024

/**
 * The same for a response whose Content-Length is small: a streamed response cannot be run again if its worker dies.
 */
const SHORT_SOON_MS = 1_000

/** express-session, for example, holds back the last byte of each response until the session is saved. */
function isShort(message: NodeResponse | null): boolean {
  const length = /\r\ncontent-length: *(\d+)\r\n/i.exec(message?._header ?? '')?.[1]
  return length !== undefined && Number(length) <= MOST_KEPT
}

/** The parts of a ServerResponse that Node.js uses for its own socket and leaves out of its types. */
export interface NodeResponse extends ServerResponse {
  _header: string | null
  outputData: { data: string; encoding: string; callback: null }[]
  _flush(): void
}

export class AppSocket extends EventEmitter {
  readonly [REQUEST_OF_SOCKET]: HttpRequest
  /** The http.Server of the app, or a substitute: the same object for all requests of a worker. */
  server: unknown
  /** Node's ServerResponse.end() sets `corked`. */
  readonly _writableState = { corked: 0 }
  readable = true
  writable = true
  destroyed = false
  /** Used by Node.js: the response that may write. */
  _httpMessage: NodeResponse | null = null

  readonly #begin: () => Sink
  readonly #interim: (text: string) => void
  #chunks: Buffer[] = []
  /** Bytes of body written so far. */
  #size = 0
  #headSize = 0
  /** Bytes of the streamed part of the request's body. */
  restRead = 0
  #error: Error | null = null
  /** Argument of the last setTimeout(), in ms. */
  timeout: number | undefined
  /** The stream of the response, once it has taken too long, or become too large, to be kept. */
  #sink: Sink | undefined
  #beginning: NodeJS.Timeout | undefined
  #undrained = 0
  #timer: NodeJS.Timeout | undefined

  /** `begin` sends the final head, `interim` the text of an interim one. */
  constructor(request: HttpRequest, server: unknown, begin: () => Sink, interim: (text: string) => void) {
    super()
    this[REQUEST_OF_SOCKET] = request
    this.server = server
    this.#begin = begin
    this.#interim = interim
  }

  /**
   * Bytes of this request, head and body, that have arrived; earlier requests of the client's connection do not count.
   */
  get bytesRead(): number {
    return headBytes(this[REQUEST_OF_SOCKET]) + this[REQUEST_OF_SOCKET].body.length + this.restRead
  }

  /** Bytes of this response, head and body, without the framing that the gateway adds. */
  get bytesWritten(): number {
    return (this._httpMessage?._header?.length ?? this.#headSize) + this.#size
  }

  get readableHighWaterMark(): number {
    return HIGH_WATER_MARK
  }

  get writableHighWaterMark(): number {
    return HIGH_WATER_MARK
  }

  get writableLength(): number {
    return 0
  }

  get writableCorked(): number {
    return this._writableState.corked
  }

  get writableEnded(): boolean {
    return !this.writable
  }

  get writableFinished(): boolean {
    return !this.writable
  }

  get writableNeedDrain(): boolean {
    return this.#undrained >= HIGH_WATER_MARK
  }

  get closed(): boolean {
    return this.destroyed
  }

  get errored(): Error | null {
    return this.#error
  }

  /** Returns the body, as far as it was not streamed. */
  body(): Buffer {
    clearTimeout(this.#beginning)
    return this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks)
  }

  write(data: string | Uint8Array, encoding?: BufferEncoding, callback?: (error?: Error) => void): boolean {
    const message = this._httpMessage
    if (!message?._header || this.destroyed || data.length === 0) {
      // Before the head only interim heads (1xx) are written, by writeEarlyHints and the like.
      if (message && !message._header && data.length > 0 && !this.destroyed) this.#interim(String(data))
      if (callback) process.nextTick(callback)
      // A flushed head is sent soon. The end of a response takes this path too, with a callback.
      else if (message?._header && !message.finished && !this.destroyed) this.#soon()
      return !this.destroyed
    }
    const chunk = typeof data === 'string' ? Buffer.from(data, encoding) : asBuffer(data)
    this.#size += chunk.length
    if (this.#sink) {
      // The writer may reuse the chunk's memory after its callback.
      if (callback) process.nextTick(callback)
      return this.#sink.write(chunk, typeof data !== 'string')
    }
    const place = this.#chunks.push(chunk) - 1
    process.nextTick(chunkWritten, this, message, this.#chunks, place, callback)

    const before = this.#undrained
    this.#undrained += chunk.length
    if (this.#undrained < HIGH_WATER_MARK) return true
    if (before < HIGH_WATER_MARK) setImmediate(() => this.#sink || this.#drain(message))
    return false
  }

  /** Streams the response soon, or at once if it is large. */
  soon(message: NodeResponse): void {
    if (this.#sink || message.finished || this.destroyed) return
    if (this.#size >= MOST_KEPT) this.#go()
    else this.#soon()
  }

  #soon(): void {
    if (this.#sink || this.#beginning) return
    this.#beginning = setTimeout(() => this.#go(), isShort(this._httpMessage) ? SHORT_SOON_MS : SOON_MS)
  }

  #go(): void {
    clearTimeout(this.#beginning)
    const message = this._httpMessage
    if (this.#sink || this.destroyed || !message || message.finished) return
    try {
      const sink = this.#begin()
      this.#sink = sink
      // In the context of the handler, and not in a call of the connection of all requests: listeners may throw.
      sink.onDrain = AsyncResource.bind(() => process.nextTick(() => this.#drain(message)))
      let room = true
      for (const chunk of this.#chunks.splice(0)) room = sink.write(chunk)
      // A writer that was told to wait may go on.
      if (room) setImmediate(() => this.#drain(message))
    } catch (error) {
      this.destroy(error as Error)
    }
  }

  /** There is always room, but `drain` comes in a later turn of the event loop, as on a real socket. */
  #drain(message: NodeResponse): void {
    this.#undrained = 0
    if (message.finished || this.destroyed) return
    // Node.js emits `drain` only when it flushes something, so there has to be something.
    message.outputData.push({ data: '', encoding: 'latin1', callback: null })
    message._flush()
  }

  destroy(error?: Error): this {
    if (this.destroyed) return this
    this.destroyed = true
    this.#error = error ?? null
    this.readable = false
    this.writable = false
    clearTimeout(this.#timer)
    clearTimeout(this.#beginning)
    process.nextTick(emitClose, this, error)
    return this
  }

  end(): this {
    return this.destroy()
  }

  destroySoon(): void {
    this.destroy()
  }

  resetAndDestroy(): this {
    return this.destroy()
  }

  setTimeout(ms: number, callback?: () => void): this {
    this.timeout = ms
    if (callback) this.once('timeout', callback)
    clearTimeout(this.#timer)
    if (ms > 0) this.#timer = setTimeout(() => this.#timedOut(), ms).unref()
    return this
  }

  /** As Node's server: listeners for the timeout may still answer; without a listener the socket is destroyed. */
  #timedOut(): void {
    const res = this._httpMessage
    const heard = [this.emit('timeout'), res?.req.emit('timeout', this), res?.emit('timeout', this)]
    if (!heard.includes(true)) this.destroy()
  }

  /** Stops the timers at the end of the exchange. */
  stopTimers(): void {
    this.#headSize = this._httpMessage?._header?.length ?? 0
    clearTimeout(this.#timer)
    clearTimeout(this.#beginning)
  }

  setKeepAlive(): this {
    return this
  }

  setNoDelay(): this {
    return this
  }

  pause(): this {
    return this
  }

  isPaused(): boolean {
    return false
  }

  resume(): this {
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  // Corking holds nothing back. ServerResponse corks around the writes of one turn, visible as `res.writableCorked`.
  cork(): void {
    this._writableState.corked++
  }

  uncork(): void {
    if (this._writableState.corked > 0) this._writableState.corked--
  }
}

addEnds(AppSocket.prototype)

/**
 * Copies a chunk before its callback, after which the writer may reuse its memory; a response that is complete by then
 * needs no copy.
 */
function chunkWritten(
  connection: AppSocket,
  message: NodeResponse,
  chunks: Buffer[],
  place: number,
  callback?: () => void,
): void {
  if (!message.finished) {
    if (chunks[place]) chunks[place] = Buffer.from(chunks[place])
    connection.soon(message)
  }
  callback?.()
}

function emitClose(connection: AppSocket, error?: Error): void {
  if (error && connection.listenerCount('error') > 0) connection.emit('error', error)
  connection.emit('close', error !== undefined)
}

const asBuffer = (data: Uint8Array): Buffer =>
  Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength)

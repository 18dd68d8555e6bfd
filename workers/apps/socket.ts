/**
 * What an app sees as `req.socket` and `res.socket`: the connection that the request came over, as far as anyone asks. The client's own
 * connection ends in the gateway; this one keeps what the response writes. It is as little of a net.Socket as Node's own
 * IncomingMessage and ServerResponse need, and what frameworks look at.
 */
import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Sink } from '../../src/streams/collector.js'

/** As a real socket's: what may be written before a writer is told to wait for `drain`. */
const HIGH_WATER_MARK = 16 * 1024

/** So long a response may take that goes out in one piece, from its first word on. */
const SOON_MS = 10
/** More than this of a body is not kept. */
const MOST_KEPT = 64 * 1024

/** So long one may take that says itself that it is short: sent off in pieces it could not be run again if its worker died. */
const SHORT_SOON_MS = 1_000

/** express-session, for one, holds back the last byte of each response until the session is saved. */
function isShort(message: Message | null): boolean {
  const length = /\r\ncontent-length: *(\d+)\r\n/i.exec(message?._header ?? '')?.[1]
  return length !== undefined && Number(length) <= MOST_KEPT
}

/** The parts of a ServerResponse that Node has for its own socket and leaves out of its types. */
export interface Message extends ServerResponse {
  _header: string | null
  outputData: { data: string; encoding: string; callback: null }[]
  _flush(): void
}

export class Connection extends EventEmitter {
  readonly remoteAddress: string
  readonly remoteFamily: string
  readonly encrypted: boolean
  readonly readableHighWaterMark = HIGH_WATER_MARK
  readonly writableHighWaterMark = HIGH_WATER_MARK
  readonly writableLength = 0
  // Node corks a socket that is not, and uncorks it in a later tick: of no use where nothing leaves before the end.
  readonly writableCorked = 1
  readonly _writableState = { corked: 1 }
  readable = true
  writable = true
  destroyed = false
  /** Node's: the response that has the right to write. */
  _httpMessage: Message | null = null

  readonly #begin: () => Sink
  readonly #interim: (text: string) => void
  #chunks: Buffer[] = []
  #size = 0
  /** Where the body goes at once, from the moment that the response has taken too long, or become too long, to be kept. */
  #outlet: Sink | undefined
  #beginning: NodeJS.Timeout | undefined
  #undrained = 0
  #timer: NodeJS.Timeout | undefined

  /** `begin` sends the head off, `interim` the text of one that comes before it. */
  constructor(remoteAddress: string, encrypted: boolean, begin: () => Sink, interim: (text: string) => void) {
    super()
    this.#begin = begin
    this.#interim = interim
    this.remoteAddress = remoteAddress
    this.remoteFamily = remoteAddress.includes(':') ? 'IPv6' : 'IPv4'
    this.encrypted = encrypted
  }

  /** Everything written as body so far, unless it has gone already. */
  body(): Buffer {
    clearTimeout(this.#beginning)
    return this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks)
  }

  write(data: string | Uint8Array, encoding?: BufferEncoding, callback?: (error?: Error) => void): boolean {
    const message = this._httpMessage
    if (!message?._header || this.destroyed || data.length === 0) {
      // Before the head stands only 1xx: written past it by writeEarlyHints and its like.
      if (message && !message._header && data.length > 0 && !this.destroyed) this.#interim(String(data))
      if (callback) process.nextTick(callback)
      // A head that was flushed wants to go; an end comes this way, too, and with a callback.
      else if (message?._header && !message.finished && !this.destroyed) this.#soon()
      return !this.destroyed
    }
    const chunk = typeof data === 'string' ? Buffer.from(data, encoding) : bufferOf(data)
    if (this.#outlet) {
      // Its writer may use a chunk's memory again from its callback on.
      if (callback) process.nextTick(callback)
      return this.#outlet.write(typeof data === 'string' ? chunk : Buffer.from(chunk))
    }
    const place = this.#chunks.push(chunk) - 1
    this.#size += chunk.length
    process.nextTick(written, this, message, this.#chunks, place, callback)

    const before = this.#undrained
    this.#undrained += chunk.length
    if (this.#undrained < HIGH_WATER_MARK) return true
    if (before < HIGH_WATER_MARK) setImmediate(() => this.#outlet || this.#drain(message))
    return false
  }

  /** What is not over in this turn of the event loop goes out soon, and what is large at once. */
  soon(message: Message): void {
    if (this.#outlet || message.finished || this.destroyed) return
    if (this.#size >= MOST_KEPT) this.#go()
    else this.#soon()
  }

  #soon(): void {
    if (this.#outlet || this.#beginning) return
    this.#beginning = setTimeout(() => this.#go(), isShort(this._httpMessage) ? SHORT_SOON_MS : SOON_MS)
  }

  #go(): void {
    clearTimeout(this.#beginning)
    const message = this._httpMessage
    if (this.#outlet || this.destroyed || !message || message.finished) return
    try {
      const outlet = this.#begin()
      this.#outlet = outlet
      outlet.onDrain = () => this.#drain(message)
      let room = true
      for (const chunk of this.#chunks.splice(0)) room = outlet.write(chunk)
      // Whoever was told to wait before is told to go on.
      if (room) setImmediate(() => this.#drain(message))
    } catch (error) {
      this.destroy(error as Error)
    }
  }

  /** All is kept, so there is room at once; but a writer that waits lets others have their turn, as on a real socket. */
  #drain(message: Message): void {
    this.#undrained = 0
    if (message.finished || this.destroyed) return
    // Node says `drain`, and forgets that it owes one, when it flushes something that it had kept back: so there must be something.
    message.outputData.push({ data: '', encoding: 'latin1', callback: null })
    message._flush()
  }

  destroy(error?: Error): this {
    if (this.destroyed) return this
    this.destroyed = true
    this.readable = false
    this.writable = false
    clearTimeout(this.#timer)
    clearTimeout(this.#beginning)
    process.nextTick(closed, this, error)
    return this
  }

  end(): this {
    return this.destroy()
  }

  destroySoon(): void {
    this.destroy()
  }

  setTimeout(ms: number, callback?: () => void): this {
    if (callback) this.once('timeout', callback)
    clearTimeout(this.#timer)
    if (ms > 0) this.#timer = setTimeout(() => this.#timedOut(), ms).unref()
    return this
  }

  /** As Node's server does it: whoever asked for a timeout is told and may still answer; if nobody listens, it is the end. */
  #timedOut(): void {
    const res = this._httpMessage
    const heard = [this.emit('timeout'), res?.req.emit('timeout', this), res?.emit('timeout', this)]
    if (!heard.includes(true)) this.destroy()
  }

  /** The exchange is over: nothing of it may keep running. */
  rest(): void {
    clearTimeout(this.#timer)
    clearTimeout(this.#beginning)
  }

  address(): object {
    return {}
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

  resume(): this {
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  cork(): void {}

  uncork(): void {}
}

/** Its writer may use a chunk's memory again from its callback on; only the response that is complete by then need not be copied. */
function written(
  connection: Connection,
  message: Message,
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

function closed(connection: Connection, error?: Error): void {
  if (error && connection.listenerCount('error') > 0) connection.emit('error', error)
  connection.emit('close', error !== undefined)
}

const bufferOf = (data: Uint8Array): Buffer =>
  Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength)

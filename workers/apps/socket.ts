/**
 * What an app sees as `req.socket` and `res.socket`: the connection that the request came over, as far as anyone asks. The client's own
 * connection ends in the gateway; this one keeps what the response writes. It is as little of a net.Socket as Node's own
 * IncomingMessage and ServerResponse need, and what frameworks look at.
 */
import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'

/** As a real socket's: what may be written before a writer is told to wait for `drain`. */
const HIGH_WATER_MARK = 16 * 1024

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

  readonly #chunks: Buffer[] = []
  #undrained = 0
  #timer: NodeJS.Timeout | undefined

  constructor(remoteAddress: string, encrypted: boolean) {
    super()
    this.remoteAddress = remoteAddress
    this.remoteFamily = remoteAddress.includes(':') ? 'IPv6' : 'IPv4'
    this.encrypted = encrypted
  }

  /** Everything written as body so far. */
  body(): Buffer {
    return this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks)
  }

  write(data: string | Uint8Array, encoding?: BufferEncoding, callback?: (error?: Error) => void): boolean {
    const message = this._httpMessage
    // Before the head stands only 1xx: written past it by writeContinue and its like. A buffered exchange has no use for those.
    if (!message?._header || this.destroyed || data.length === 0) {
      if (callback) process.nextTick(callback)
      return !this.destroyed
    }
    const chunk = typeof data === 'string' ? Buffer.from(data, encoding) : bufferOf(data)
    const place = this.#chunks.push(chunk) - 1
    process.nextTick(written, message, this.#chunks, place, callback)

    const before = this.#undrained
    this.#undrained += chunk.length
    if (this.#undrained < HIGH_WATER_MARK) return true
    if (before < HIGH_WATER_MARK) setImmediate(() => this.#drain(message))
    return false
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
function written(message: Message, chunks: Buffer[], place: number, callback?: () => void): void {
  if (!message.finished) chunks[place] = Buffer.from(chunks[place] as Buffer)
  callback?.()
}

function closed(connection: Connection, error?: Error): void {
  if (error && connection.listenerCount('error') > 0) connection.emit('error', error)
  connection.emit('close', error !== undefined)
}

const bufferOf = (data: Uint8Array): Buffer =>
  Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength)

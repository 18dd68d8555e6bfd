/** StreamRequest: a request of HTTP/2 in the form in which the gateway reads one of HTTP/1.1 (RFC 9113 §8.3.1). */
import type { ServerHttp2Stream } from 'node:http2'
import { Readable } from 'node:stream'
import type { StreamConnection } from './connection.js'

export class StreamRequest extends Readable {
  readonly httpVersion = '1.1'
  readonly httpVersionMajor = 1
  readonly httpVersionMinor = 1
  readonly method: string
  readonly url: string
  readonly rawHeaders: readonly string[]
  rawTrailers: readonly string[] = []
  readonly socket: StreamConnection
  /** True if the client waits for 100 Continue. */
  readonly expects100: boolean
  /** True once all of it has arrived. */
  complete: boolean
  readonly #stream: ServerHttp2Stream

  /** `raw`: name, value, name, value … as they arrived, pseudo-fields included. */
  constructor(stream: ServerHttp2Stream, raw: readonly string[], socket: StreamConnection) {
    super()
    this.#stream = stream
    this.socket = socket
    const { method, path, fields, expects100 } = http1Head(raw, stream.endAfterHeaders)
    this.method = method
    this.url = path
    this.rawHeaders = fields
    this.expects100 = expects100
    this.complete = stream.endAfterHeaders
    if (this.complete) {
      this.push(null)
      stream.resume()
      return
    }
    stream.on('data', (chunk: Buffer) => {
      socket.overhead.bodyBytes += chunk.length
      if (!this.push(chunk)) stream.pause()
    })
    stream.pause()
    stream.on('trailers', (_headers: unknown, _flags: unknown, trailers: string[]) => {
      this.rawTrailers = trailers
    })
    stream.on('end', () => {
      // After a reset, too.
      if (stream.aborted) return
      this.complete = true
      this.push(null)
    })
    stream.once('close', () => {
      if (!this.complete) this.destroy()
    })
  }

  override _read(): void {
    this.#stream.resume()
  }
}

/** Returns the fields without pseudo-fields; with Host, and one Cookie of all its pieces (RFC 9113 §8.2.3). */
export function http1Head(
  raw: readonly string[],
  hasEnded: boolean,
): { method: string; path: string; fields: readonly string[]; expects100: boolean } {
  let [method, path, authority, hasLength, expects100] = ['GET', '/', '', false, false]
  const fields: string[] = []
  const cookies: string[] = []
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string
    const value = raw[i + 1] as string
    if (name === ':method') method = value
    else if (name === ':path') path = value
    else if (name === ':authority') authority = value
    else if (name.startsWith(':')) continue
    else if (name === 'cookie') cookies.push(value)
    // Both may be sent if they are the same.
    else if (name !== 'host' || value !== authority) fields.push(name, value)
    hasLength ||= name === 'content-length'
    if (name === 'expect') expects100 = value.toLowerCase() === '100-continue'
  }
  if (authority !== '') fields.unshift('Host', authority)
  if (cookies.length > 0) fields.push('Cookie', cookies.join('; '))
  // A body without a length is what chunks are in HTTP/1.1.
  if (!hasLength && !hasEnded) fields.push('Transfer-Encoding', 'chunked')
  return { method, path, fields, expects100 }
}

/**
 * A streamed response on the side of its requester: interim heads, the head, the body, and the end, once the space has
 * accepted it.
 */
import { isErrorCode, SpaceError } from '../errors.js'
import { lengthOfHead } from './lines.js'
import {
  decodeResponse,
  decodeTrailers,
  type HttpResponse,
  type ResponseHead,
  type Rest,
  type RestReader,
  type StreamPlace,
} from './message.js'
import type { StreamReader, Streams } from './streams/index.js'

export interface Expecting {
  onHead(response: HttpResponse): void
  readonly onInterim: ((head: ResponseHead) => void) | undefined
  /** Called if there was no final head. */
  onFailed(error: SpaceError): void
}

/** In bytes: a longer head is an attack on memory. */
const LONGEST_HEAD = 1_048_576
/** The space reports the outcome at about the same time as the stream ends. */
const ACCEPTED_WITHIN_MS = 15_000

export class StreamedResponse implements Rest {
  readonly #stream: StreamReader
  readonly #expecting: Expecting
  /** The bytes of an incomplete head; then those of the body that came with it. */
  #text: Buffer = Buffer.alloc(0)
  #hasHead = false
  #reader: RestReader | undefined
  #trailers: readonly string[] | undefined
  #accepted = false
  #broken: string | undefined
  #over = false
  #timer: NodeJS.Timeout | undefined

  constructor(streams: Streams, { claim, holder }: StreamPlace, expecting: Expecting) {
    this.#expecting = expecting
    this.#stream = streams.reader(claim, holder)
    this.#stream.read({
      onChunk: (chunk) => this.#chunk(chunk),
      onEnd: (last) => this.#ended(last),
      onBroken: (reason) => this.#fail(reason),
    })
  }

  read(reader: RestReader): void {
    this.#reader = reader
    const first = this.#text
    this.#text = Buffer.alloc(0)
    if (first.length === 0 || reader.onChunk(first)) this.#stream.resume()
    this.#settle()
  }

  resume(): void {
    this.#stream.resume()
  }

  cancel(): void {
    this.#over = true
    clearTimeout(this.#timer)
    this.#stream.cancel()
  }

  /** The space has accepted the response. It ends when its last byte has arrived. */
  completed(): void {
    this.#accepted = true
    this.#settle()
  }

  /** The space reports that the response will never be complete. Bytes that have arrived are still delivered. */
  failed(code: string): void {
    if (this.#trailers) this.#fail(code)
    else this.#stream.fail(code)
  }

  #chunk(chunk: Buffer): boolean {
    if (this.#hasHead) return this.#reader!.onChunk(chunk)
    this.#text = Buffer.concat([this.#text, chunk])
    try {
      for (;;) {
        const end = lengthOfHead(this.#text)
        if (end !== undefined && end > LONGEST_HEAD) throw new TypeError('too long a head')
        if (end === undefined || end > this.#text.length) return true
        const head = decodeResponse(this.#text.subarray(0, end))
        this.#text = this.#text.subarray(end)
        if (this.#isFinal(head)) return false
      }
    } catch {
      this.#reject('BAD_RESPONSE')
      return false
    }
  }

  /** Reports a head. Returns false for an interim one. */
  #isFinal(head: HttpResponse): boolean {
    // 101 is a final head: the last of HTTP on its connection (RFC 9110 §15.2.2).
    if (head.status < 200 && head.status !== 101) {
      this.#expecting.onInterim?.(head)
      return false
    }
    this.#hasHead = true
    this.#expecting.onHead({ ...head, rest: this })
    return true
  }

  #ended(last: Buffer): void {
    this.#trailers = decodeTrailers(last)
    if (!this.#hasHead) return this.#reject('BAD_RESPONSE')
    this.#timer = setTimeout(() => this.#fail('OUTCOME_UNKNOWN'), ACCEPTED_WITHIN_MS)
    this.#settle()
  }

  #settle(): void {
    const reader = this.#reader
    if (!reader || this.#over) return
    if (this.#broken !== undefined) {
      this.#over = true
      clearTimeout(this.#timer)
      reader.onBroken(this.#broken)
    } else if (this.#trailers && this.#accepted) {
      this.#over = true
      clearTimeout(this.#timer)
      reader.onEnd(this.#trailers)
    }
  }

  #fail(reason: string): void {
    if (!this.#hasHead) return this.#reject(reason)
    this.#broken ??= reason
    this.#settle()
  }

  #reject(reason: string): void {
    this.cancel()
    this.#expecting.onFailed(new SpaceError(isErrorCode(reason) ? reason : 'OUTCOME_UNKNOWN'))
  }
}

/** Collector: replaces a StreamWriter where the response has to be complete before it is used. */
import type { HttpResponse, ResponseHead } from '../message.js'
import type { StreamWriter } from './writer.js'

/** The part of a StreamWriter that the writer of a response needs. */
export type Sink = Pick<StreamWriter, 'write' | 'written' | 'isOpen' | 'hasRoom' | 'onDrain' | 'onUnwanted' | 'over'>

export class Collector implements Sink {
  readonly isOpen = true
  readonly hasRoom = true
  /** Never resolves: there is no reader. */
  readonly over: Promise<void> = new Promise(() => {})
  onDrain: (() => void) | undefined
  onUnwanted: (() => void) | undefined
  readonly #head: ResponseHead
  readonly #most: number
  readonly #chunks: Buffer[] = []
  #written = 0

  constructor(head: ResponseHead, most: number) {
    this.#head = head
    this.#most = most
  }

  get written(): number {
    return this.#written
  }

  /** Counts all bytes, and keeps none if they are too many. */
  write(bytes: Buffer, lent = false): boolean {
    this.#written += bytes.length
    if (this.#written <= this.#most) this.#chunks.push(lent ? Buffer.from(bytes) : bytes)
    else this.#chunks.length = 0
    return true
  }

  /** Returns the response, without Content-Length; undefined if it is too large. */
  with({ trailers }: HttpResponse): HttpResponse | undefined {
    if (this.#written > this.#most) return undefined
    const { headers } = this.#head
    const isLength = (i: number): boolean => headers[i - (i % 2)]!.toLowerCase() === 'content-length'
    const kept = headers.filter((_, i) => !isLength(i))
    return { ...this.#head, headers: kept, body: Buffer.concat(this.#chunks), trailers }
  }
}

/** Collector: stands in for the end of a stream where what is written has to be whole. */
import type { HttpResponse, ResponseHead } from '../message.js'
import type { StreamWriter } from './writer.js'

/** The part of a StreamWriter that the writer of a response needs. */
export type Sink = Pick<StreamWriter, 'write' | 'written' | 'isOpen' | 'hasRoom' | 'onDrain' | 'onUnwanted' | 'over'>

export class Collector implements Sink {
  readonly isOpen = true
  readonly hasRoom = true
  /** Nobody reads it before it is complete. */
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

  /** What is too much is counted, and not kept. */
  write(bytes: Buffer): boolean {
    this.#written += bytes.length
    if (this.#written <= this.#most) this.#chunks.push(bytes)
    else this.#chunks.length = 0
    return true
  }

  /** The response as it was written; undefined: it is too large. Its length is told by whoever frames it. */
  with({ trailers }: HttpResponse): HttpResponse | undefined {
    if (this.#written > this.#most) return undefined
    const { headers } = this.#head
    const isLength = (i: number): boolean => headers[i - (i % 2)]!.toLowerCase() === 'content-length'
    const kept = headers.filter((_, i) => !isLength(i))
    return { ...this.#head, headers: kept, body: Buffer.concat(this.#chunks), trailers }
  }
}

/** The response to a request whose outcome is stored: collected until it is complete. */
import type { HttpResponse, ResponseHead } from './message.js'
import { Collector, type Sink } from './streams/collector.js'

/** It takes memory at each end, and in the space for as long as it is kept. */
const LARGEST_KEPT = 16 * 1024 * 1024

const TOO_LARGE: HttpResponse = {
  status: 502,
  reason: 'Bad Gateway',
  headers: ['Content-Type', 'text/plain; charset=utf-8'],
  body: Buffer.from('The answer is too large to be kept, as the Idempotency-Key asks. The request was run.\n'),
}

export class KeptResponse {
  readonly #collector: Collector

  constructor(head: ResponseHead) {
    this.#collector = new Collector(head, LARGEST_KEPT)
  }

  /** Returns where the body is written; what is written behind an interim head (1xx) is dropped. */
  get sink(): Sink {
    return this.#collector
  }

  /** Returns the complete response, with the trailers of `answer`; a 502 if it is larger than 16 MiB. */
  complete(answer: HttpResponse): HttpResponse {
    return keptWhole(this.#collector.with(answer) ?? TOO_LARGE)
  }
}

/** Returns the response, or a 502 if it is too large to be kept. */
export const keptWhole = (response: HttpResponse): HttpResponse =>
  response.body.length <= LARGEST_KEPT ? response : TOO_LARGE

/**
 * The streamed response to a held request: a stream from the worker to the requester. With its first head the claim
 * counts as streaming: the request has no successor and ends with its holder.
 */
import type { Delivery, Engine } from '../engine.js'
import { encodeHead, encodePlace, encodeTrailers, type HttpResponse, type ResponseHead } from './message.js'
import type { Streams, StreamWriter } from './streams/index.js'

export class ResponseStream {
  readonly #engine: Engine
  readonly #delivery: Delivery
  readonly #writer: StreamWriter
  readonly #accepted: Promise<boolean>
  #hasHead = false

  /** `onRefused` is called if the space has ended the claim, or no process waits for the response. */
  constructor(engine: Engine, streams: Streams, delivery: Delivery, head: ResponseHead, onRefused: () => void) {
    this.#engine = engine
    this.#delivery = delivery
    this.#writer = streams.writer(delivery.claim)
    this.start(head)
    // The requester asks for the stream by a message, so this process has to receive messages first.
    this.#accepted = streams
      .ready()
      .then(() => engine.beginStreaming(delivery, true))
      .catch(() => false)
    void this.#accepted.then((accepted) => {
      if (accepted) return this.#writer.open(delivery.requester)
      this.#writer.destroy('')
      onRefused()
    })
  }

  /** Writes a head and returns where its body is written. */
  start(head: ResponseHead): StreamWriter {
    this.#hasHead ||= head.status >= 200 || head.status === SWITCHING_PROTOCOLS
    this.#writer.write(encodeHead(head))
    return this.#writer
  }

  /** True once the final head (not 1xx) has been written. */
  get hasHead(): boolean {
    return this.#hasHead
  }

  get writer(): StreamWriter {
    return this.#writer
  }

  get isOpen(): boolean {
    return this.#writer.isOpen
  }

  /** The reader is told that the response is incomplete. */
  breakOff(): void {
    this.#writer.destroy('WORKER_LOST')
  }

  /** Ends the stream with these trailers. Returns the body of the completion: where the response is. */
  async end(trailers: HttpResponse['trailers']): Promise<Buffer> {
    // The claim has its final name only then.
    await this.#accepted
    this.#writer.end(encodeTrailers(trailers))
    return encodePlace({ claim: this.#delivery.claim, holder: this.#engine.presence })
  }
}

/** RFC 9110 §15.2.2: the last status of HTTP on its connection, so its head is final. */
export const SWITCHING_PROTOCOLS = 101

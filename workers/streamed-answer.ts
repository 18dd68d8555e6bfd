/**
 * The streams of a turn: a request body that still arrives, a response that is sent while it is written, the slot that
 * both give up.
 */
import { monotonicMs } from '../src/clock.js'
import { SpaceError } from '../src/errors.js'
import { CUT_SHORT } from '../src/request/http.js'
import type { Sink } from '../src/request/streams/collector.js'
import type { HeldRequest, HttpResponse, ResponseHead, Rest } from '../src/request.js'
import { STREAMED, sealedHead, sealedTrailers } from './response.js'

/**
 * A streaming turn keeps its slot for this long, and only while BUSY_BYTES move in each LOOK_MS: a burst of clients
 * that read nothing must not hold up the requests behind them.
 */
const RELEASE_SLOT_AFTER_MS = 100
const LOOK_MS = 20
const BUSY_BYTES = 16_384

export class StreamedAnswer {
  readonly #held: HeldRequest
  #sink: Sink | undefined
  #status = 0
  /** Bytes of heads in the sink, before the body. */
  #headBytes = 0
  /** Content-Length of the head, if it has one. */
  #announced: number | undefined
  /** Bytes of the request's body that have arrived as a stream. */
  #bytesRead = 0
  #slotTimer: NodeJS.Timeout | undefined
  #isReleased = false
  #isStopped = false

  constructor(held: HeldRequest) {
    this.#held = held
  }

  /** True once the final head (not 1xx) has been sent. */
  get isStarted(): boolean {
    return this.#sink !== undefined
  }

  /** Sends a head. Returns where its body is written. Throws BAD_RESPONSE if HTTP cannot carry the head. */
  start(head: ResponseHead): Sink {
    const sealed = sealedHead(head)
    const sink = this.#held.startResponse(sealed)
    if (head.status >= 200 || head.status === 101) {
      const length = sealed.headers.findIndex((field, i) => i % 2 === 0 && field.toLowerCase() === 'content-length')
      this.#announced = length < 0 ? undefined : Number(sealed.headers[length + 1])
      this.#sink = sink
      this.#status = head.status
      this.#headBytes = sink.written
    }
    this.#releaseSlotSoon()
    return sink
  }

  /**
   * Returns the response that completes the request. Throws BAD_RESPONSE if the body is not as long as its head
   * announced.
   */
  complete({ trailers, isCutShort }: HttpResponse): HttpResponse {
    if (isCutShort) return { ...STREAMED, status: this.#status, trailers: [CUT_SHORT, ''] }
    const length = this.#sink!.written - this.#headBytes
    if (this.#announced !== undefined && this.#announced !== length) {
      throw new SpaceError('BAD_RESPONSE', `Its content-length is ${this.#announced} bytes, its body has ${length}.`)
    }
    return { ...STREAMED, status: this.#status, trailers: trailers && sealedTrailers(trailers) }
  }

  /** Returns `rest` with its bytes counted. `onEnd` is called before its reader is told of its end. */
  counted(rest: Rest, onEnd: () => void): Rest {
    this.#releaseSlotSoon()
    return {
      ...rest,
      read: (reader) =>
        rest.read({
          ...reader,
          onChunk: (chunk) => {
            this.#bytesRead += chunk.length
            return reader.onChunk(chunk)
          },
          onEnd(trailers) {
            onEnd()
            reader.onEnd(trailers)
          },
        }),
    }
  }

  stop(): void {
    this.#isStopped = true
    clearInterval(this.#slotTimer)
  }

  #releaseSlotSoon(): void {
    if (this.#slotTimer) return
    const since = monotonicMs()
    let before = 0
    const release = (): void => {
      clearInterval(this.#slotTimer)
      if (!this.#isReleased) this.#held.releaseSlot()
      this.#isReleased = true
    }
    // A handler that waits for its client does nothing that others would have to wait for.
    const isWaiting = (): boolean => this.#sink?.hasRoom === false
    this.#slotTimer = setInterval(() => {
      const moved = this.#bytesRead + (this.#sink?.written ?? 0)
      const isBusy = moved - before >= BUSY_BYTES && !isWaiting()
      before = moved
      if (!isBusy || monotonicMs() - since >= RELEASE_SLOT_AFTER_MS) release()
    }, LOOK_MS).unref()
    // With the operation that begins the stream, if the first write has filled it.
    setImmediate(() => {
      if (!this.#isStopped && isWaiting()) release()
    })
  }
}

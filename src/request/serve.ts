/** Serving: a worker takes requests of one service from the space, and completes or gives back each that it holds. */
import type { Delivery, EncodedEntry, Engine } from '../engine.js'
import { Transaction } from '../space/transaction.js'
import type { Space } from '../space.js'
import { deadLetterFor, failureInResponse } from '../tasks/failed-task.js'
import { deadLettersOnFailure } from '../tasks/message.js'
import { ticketOf } from '../tasks/ticket-store.js'
import { requestTemplate } from './kinds.js'
import {
  decodeRequest,
  decodeTrailers,
  encodeHead,
  encodePlace,
  encodeResponse,
  encodeTrailers,
  type HttpRequest,
  type HttpResponse,
  type ResponseHead,
  type Rest,
} from './message.js'
import { Collector, type Sink } from './streams/collector.js'
import type { StreamReader, StreamWriter } from './streams/index.js'

/** A request that a worker holds. */
export interface HeldRequest {
  readonly id: string
  readonly service: string
  readonly priority: number
  /** 1 on the first delivery. */
  readonly attempt: number
  /** Milliseconds left until its deadline when it was handed out. */
  readonly remainingMs: number
  /** From written to taken, on the space's clock. */
  readonly waitedMs: number
  readonly repeatable: boolean
  readonly request: HttpRequest
  /**
   * Says that the handler is about to run; to be awaited when the request is not repeatable, or more of it comes, which is then read at
   * `request.rest`. false: do not run it.
   */
  start(): Promise<boolean>
  /**
   * Begins to answer: what is written goes out at once, after these heads (one, and interim ones before it). Nobody else is given the request from
   * now on.
   */
  startResponse(head: ResponseHead): Sink
  /** Whether it has begun. */
  readonly responseStarted: boolean
  /** Whether its answer is kept in the space, and so collected to its end, however it is written. */
  readonly isKept: boolean
  /** It goes on for longer than is usual, without its place among those that the worker holds. */
  releaseSlot(): void
  /** Answers; what has begun ends with it, and only its trailers count. false: the claim was lost, the space has refused this answer. */
  complete(response: HttpResponse): Promise<boolean>
  /** What has begun will never be complete, and whoever reads it sees that. */
  breakOff(): void
  /** Says how far it is, to whoever has its ticket, if it has one. At most LARGEST_NOTE bytes. */
  progress(report: Buffer): Promise<void>
  /** Gives it back for another worker. */
  release(): Promise<void>
  /** Committed by an answer below 500, aborted by any other end. */
  readonly transaction: Transaction
  /** Whether anybody has asked for that. */
  readonly isTransacting: boolean
  /** Set it to hear that the space has ended this claim: whatever is still running works for nobody. */
  onLost?: (() => void) | undefined
}

/** A worker's standing take. */
export interface Serving {
  /** Whether the take stands in the space now: it does not while the link is away. */
  readonly standing: boolean
  /** Takes nothing new. When it resolves no further request will come; those held go on. */
  stop(): Promise<void>
}

/** Takes requests of a service from the space, at most `concurrency` held at a time: those for its app, or those for one of these tasks. */
export async function serveRequests(
  space: Space,
  service: string,
  concurrency: number,
  onRequest: (taken: HeldRequest) => void,
  tasks?: readonly string[],
): Promise<Serving> {
  const terms = { space, engine: space.engine, service, credit: 1 }
  const offer = await space.engine.offer(requestTemplate(service, tasks), concurrency, (delivery) => {
    let request: HttpRequest
    try {
      request = decodeRequest(delivery.body)
    } catch {
      // A stranger's entry under our kind: answered as what it is, so that it is neither run nor delivered for ever.
      void space.engine.complete(delivery, encodeResponse(UNREADABLE), terms.credit).catch(() => {})
      return
    }
    onRequest(new ServedRequest(terms, delivery, request))
  })
  return {
    get standing() {
      return offer.standing
    },
    async stop() {
      terms.credit = 0
      await offer.end()
    },
  }
}

/** What all that was taken for one offer shares. */
interface ServeTerms {
  readonly space: Space
  readonly engine: Engine
  readonly service: string
  /** What a completion gives back: 1 as long as more is taken. */
  credit: number
}

/** One object per request, with methods rather than closures: this is the path that every request takes. */
class ServedRequest implements HeldRequest {
  readonly request: HttpRequest
  onLost: (() => void) | undefined
  readonly #terms: ServeTerms
  readonly #delivery: Delivery
  #transaction: Transaction | undefined
  /** What is read, and what is written, bit by bit. */
  #requestStream: StreamReader | undefined
  #responseStream: StreamWriter | undefined
  #holding: Promise<boolean> | undefined
  /** Whether the head that counts has gone. */
  #hasHead = false
  #isLost = false
  #collected: Collector | undefined

  constructor(terms: ServeTerms, delivery: Delivery, request: HttpRequest) {
    this.request = request
    this.#terms = terms
    this.#delivery = delivery
    delivery.holder = this
  }

  get id(): string {
    return this.#delivery.id
  }

  get service(): string {
    return this.#terms.service
  }

  get priority(): number {
    return this.#delivery.priority
  }

  get attempt(): number {
    return this.#delivery.attempt
  }

  get remainingMs(): number {
    return this.#delivery.remainingMs
  }

  get waitedMs(): number {
    return this.#delivery.waitedMs
  }

  get repeatable(): boolean {
    return this.#delivery.repeatable
  }

  start(): Promise<boolean> {
    return this.request.more ? this.#startReading() : this.#terms.engine.start(this.#delivery)
  }

  async #startReading(): Promise<boolean> {
    const { engine, space } = this.#terms
    await space.streams.ready()
    if (!(await engine.beginStreaming(this.#delivery, false))) return false
    this.#requestStream = space.streams.reader(this.id, this.#delivery.requester)
    this.request.rest = bodyStreamOf(this.#requestStream)
    return true
  }

  get responseStarted(): boolean {
    return this.#responseStream !== undefined || this.#collected !== undefined
  }

  get isKept(): boolean {
    return this.#delivery.id.includes('.')
  }

  /** What is kept is kept whole. */
  #collect(head: ResponseHead): Sink {
    const isFinal = head.status >= 200
    if (!isFinal) return new Collector(head, LARGEST_KEPT)
    this.#collected = new Collector(head, LARGEST_KEPT)
    return this.#collected
  }

  startResponse(head: ResponseHead): Sink {
    if (this.isKept) return this.#collect(head)
    this.#hasHead ||= head.status >= 200 || head.status === SWITCHING_PROTOCOLS
    if (this.#responseStream) {
      this.#responseStream.write(encodeHead(head))
      return this.#responseStream
    }
    const { claim, requester } = this.#delivery
    const { engine, space } = this.#terms
    const writer = space.streams.writer(claim)
    this.#responseStream = writer
    writer.write(encodeHead(head))
    // Whoever waits for it asks for it on a way of its own, so this process must hear that.
    this.#holding = space.streams
      .ready()
      .then(() => engine.beginStreaming(this.#delivery, true))
      .catch(() => false)
    void this.#holding.then((held) => {
      if (held) return writer.open(requester)
      writer.destroy('')
      this.lost()
    })
    return writer
  }

  releaseSlot(): void {
    void this.#terms.engine.releaseSlot(this.#delivery)
  }

  breakOff(): void {
    this.#collected = undefined
    this.#requestStream?.cancel()
    this.#responseStream?.destroy('WORKER_LOST')
  }

  complete(answer: HttpResponse): Promise<boolean> {
    this.#requestStream?.cancel()
    const isKept = this.isKept
    const response = isKept ? this.#kept(answer) : answer
    if (this.#responseStream?.isOpen || (!isKept && !this.#responseStream && response.body.length > LARGEST_WHOLE)) {
      return this.#completeBegun(response)
    }
    return this.#complete(response, encodeResponse(response))
  }

  /** All of it goes bit by bit, and its completion says where it went. */
  async #completeBegun(response: HttpResponse): Promise<boolean> {
    if (!this.#hasHead) {
      this.startResponse({ ...response, headers: [...response.headers, ...contentLengthOf(response)] }).write(
        response.body,
      )
    }
    // Until then the claim has another name.
    await this.#holding
    this.#responseStream!.end(encodeTrailers(response.trailers))
    const place = { claim: this.#delivery.claim, holder: this.#terms.engine.presence }
    return this.#complete(response, encodePlace(place))
  }

  #complete(response: HttpResponse, body: Buffer): Promise<boolean> {
    const { engine, credit } = this.#terms
    const tx = this.#transaction
    if (tx?.isOpen && response.status < 500) {
      return tx.endWith((along) => engine.complete(this.#delivery, body, credit, along))
    }
    void tx?.end()
    const deadLetter = this.#deadLetterOf(response)
    return engine.complete(this.#delivery, body, credit, deadLetter && { entries: [deadLetter] })
  }

  /** A task that failed and that nobody waits for becomes a dead letter together with its outcome. */
  #deadLetterOf(response: HttpResponse): EncodedEntry | undefined {
    const { request, service, attempt, priority } = this
    // What was cancelled has not failed.
    if (response.status < 500 || this.#isLost || !deadLettersOnFailure(request)) return undefined
    const failed = failureInResponse(response)
    return failed && deadLetterFor(`${this.id}.letter`, service, request, { ...failed, attempts: attempt }, priority)
  }

  async progress(report: Buffer): Promise<void> {
    if (ticketOf(this.id) !== '') await this.#terms.engine.tickets.reportProgress(this.#delivery, report)
  }

  #kept(answer: HttpResponse): HttpResponse {
    const response = this.#collected ? (this.#collected.with(answer) ?? TOO_LARGE) : answer
    return response.body.length <= LARGEST_KEPT ? response : TOO_LARGE
  }

  get isTransacting(): boolean {
    return this.#transaction !== undefined
  }

  /** Made when first asked for: most handlers never do. */
  get transaction(): Transaction {
    this.#transaction ??= new Transaction(this.#terms.engine, Math.max(this.remainingMs, 0), () => {}, true)
    return this.#transaction
  }

  release(): Promise<void> {
    this.breakOff()
    void this.#transaction?.end()
    return this.#terms.engine.release(this.#delivery)
  }

  /** The engine's word. */
  lost(): void {
    this.#isLost = true
    this.onLost?.()
  }
}

/** An answer that is kept takes memory at each end, and in the space for as long as it is kept. */
const LARGEST_KEPT = 16 * 1024 * 1024

const TOO_LARGE: HttpResponse = {
  status: 502,
  reason: 'Bad Gateway',
  headers: ['Content-Type', 'text/plain; charset=utf-8'],
  body: Buffer.from('The answer is too large to be kept, as the Idempotency-Key asks. The request was run.\n'),
}

/** RFC 9110 §15.2.2. */
const SWITCHING_PROTOCOLS = 101
/** What is larger does not stand in the space in one piece. */
const LARGEST_WHOLE = 256 * 1024

/** Known, though it goes bit by bit; with trailers it is not told, since these need a chunked body (RFC 9112 §7.1.2). */
const contentLengthOf = ({ body, trailers }: HttpResponse): string[] =>
  body.length > 0 && !trailers ? ['Content-Length', String(body.length)] : []

const bodyStreamOf = (reader: StreamReader): Rest => ({
  read: ({ onChunk, onEnd, onBroken }) =>
    reader.read({ onChunk, onBroken, onEnd: (last) => onEnd(decodeTrailers(last)) }),
  resume: () => reader.resume(),
  cancel: () => reader.cancel(),
})

const UNREADABLE: HttpResponse = { status: 400, reason: 'Bad Request', headers: [], body: Buffer.alloc(0) }

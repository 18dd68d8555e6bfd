/** Serving: a worker takes requests of its services from the space, and completes or gives back each that it holds. */

import { ticketOf } from '../engine/tickets.js'
import type { Delivery, EncodedEntry, Engine } from '../engine.js'
import { Transaction } from '../space/transaction.js'
import type { Space } from '../space.js'
import { KeptResponse, keptWhole } from './kept-response.js'
import { appTemplate, indexOf, requestTemplate } from './kinds.js'
import {
  decodeRequest,
  decodeTrailers,
  encodeResponse,
  type HttpRequest,
  type HttpResponse,
  type ResponseHead,
  type Rest,
} from './message.js'
import { ResponseStream } from './response-stream.js'
import type { Sink } from './streams/collector.js'
import type { StreamReader } from './streams/index.js'

/** A request that a worker holds. */
export interface HeldRequest {
  readonly id: string
  readonly service: string
  readonly priority: number
  /** 1 on the first delivery. */
  readonly attempt: number
  /** Milliseconds until its deadline, counted from when the space handed it out. */
  readonly remainingMs: number
  /** From written to taken, on the space's clock. */
  readonly waitedMs: number
  readonly repeatable: boolean
  /** The space may have given the request to another worker: ask it by `start()` before the handler runs. */
  readonly isDoubtful: boolean
  readonly request: HttpRequest
  /**
   * Tells the space that the handler is about to run. To be awaited if the request is not repeatable, or if its body is
   * streamed; the rest of the body is then read at `request.rest`. Returns false if the claim is lost: the handler must
   * not run.
   */
  start(): Promise<boolean>
  /**
   * Starts a streamed response: the head, and what is written to the returned sink, go out at once. Interim heads (1xx)
   * may come before the final one. The request has no successor from then on.
   */
  startResponse(head: ResponseHead): Sink
  /** True once a head has been sent. */
  readonly responseStarted: boolean
  /** True if the response is stored in the space (Idempotency-Key, ticket), and therefore collected to its end. */
  readonly isKept: boolean
  /** Gives the worker's slot to another request while this one goes on. */
  releaseSlot(): void
  /**
   * Completes the request. Of the response to one whose response was started only the trailers count. Returns false if
   * the claim was lost and the space has refused the response.
   */
  complete(response: HttpResponse): Promise<boolean>
  /** Ends a started response as incomplete; its reader sees that. */
  breakOff(): void
  /** Reports progress, at most LARGEST_PROGRESS bytes, to the request's ticket, if it has a ticket. */
  progress(report: Buffer): Promise<void>
  /** Gives the request back for another worker. */
  release(): Promise<void>
  /** Committed with a response below 500, aborted by any other end. */
  readonly transaction: Transaction
  /** True once `transaction` was read. */
  readonly isTransacting: boolean
  /** Called when the space has ended this claim: the result is of no use any more. */
  onLost?: (() => void) | undefined
}

/** The standing take of a worker. */
export interface Serving {
  /** True while the space has the take; false while the connection is lost. */
  readonly standing: boolean
  /** Requests in hand that still have a slot of the take. */
  readonly occupied: number
  /** Adds room for one request more. */
  addSlot(): Promise<void>
  /**
   * Ends the take. When it resolves, no further request will come; requests in hand go on. `onFreed` is called when one
   * of them no longer has a slot.
   */
  stop(onFreed?: () => void): Promise<void>
}

/** Requests for tasks rather than for the app of a service. */
export interface TaskOffer {
  readonly names: readonly string[]
  /** Returns the dead letter that is written with this response, if the task has failed for good; else undefined. */
  deadLetterOf?(held: HeldRequest, response: HttpResponse): EncodedEntry | undefined
}

/**
 * Takes requests of a service, or of several, at most `concurrency` at a time.
 *
 * @param tasks the tasks of the service to take; default: requests for the app of the services
 */
export async function serveRequests(
  space: Space,
  service: string | readonly string[],
  concurrency: number,
  onRequest: (held: HeldRequest) => void,
  tasks?: TaskOffer,
): Promise<Serving> {
  const services = typeof service === 'string' ? [service] : service
  const template = tasks ? requestTemplate(services[0]!, tasks.names) : appTemplate(services)
  const { engine } = space
  const terms: ServeTerms = {
    space,
    engine,
    services: byToken(services),
    tasks,
    credit: 1,
    occupied: 0,
    onFreed: undefined,
  }
  const offer = await engine.offer(template, concurrency, (delivery) => {
    let request: HttpRequest
    try {
      request = decodeRequest(delivery.body)
    } catch {
      // Malformed: answered, so that it is neither run nor delivered again.
      void engine.complete(delivery, encodeResponse(UNREADABLE), terms.credit).catch(() => {})
      return
    }
    onRequest(new ServedRequest(terms, delivery, request))
  })
  return {
    get standing() {
      return offer.standing
    },
    get occupied() {
      return terms.occupied
    },
    addSlot: () => offer.addSlot(),
    async stop(onFreed) {
      terms.credit = 0
      terms.onFreed = onFreed
      await offer.end()
    },
  }
}

const byToken = (services: readonly string[]): ReadonlyMap<string, string> =>
  new Map(services.map((service) => [indexOf(service), service]))

/** Shared by all requests that were taken by one offer. */
interface ServeTerms {
  readonly space: Space
  readonly engine: Engine
  /** By token: a long name is stored as its hash. */
  readonly services: ReadonlyMap<string, string>
  readonly tasks: TaskOffer | undefined
  /** Credit that a completion gives back: 1 while more is taken, then 0. */
  credit: number
  /** Requests that have a slot. */
  occupied: number
  onFreed: (() => void) | undefined
}

/** One object per request, with methods rather than closures: every request takes this path. */
class ServedRequest implements HeldRequest {
  readonly request: HttpRequest
  onLost: (() => void) | undefined
  readonly #terms: ServeTerms
  readonly #delivery: Delivery
  #transaction: Transaction | undefined
  #requestStream: StreamReader | undefined
  #responseStream: ResponseStream | undefined
  #keptResponse: KeptResponse | undefined
  #isLost = false
  #hasSlot = true

  constructor(terms: ServeTerms, delivery: Delivery, request: HttpRequest) {
    this.request = request
    this.#terms = terms
    this.#delivery = delivery
    terms.occupied++
    delivery.holder = this
  }

  get id(): string {
    return this.#delivery.id
  }

  get service(): string {
    // The service is the first field of a request.
    return this.#terms.services.get(this.#delivery.indexed[0]!) as string
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

  get isDoubtful(): boolean {
    return !this.#terms.engine.isCertain
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
    return this.#responseStream !== undefined || this.#keptResponse !== undefined
  }

  get isKept(): boolean {
    return this.#delivery.id.includes('.')
  }

  startResponse(head: ResponseHead): Sink {
    if (this.isKept) {
      const kept = new KeptResponse(head)
      if (head.status >= 200) this.#keptResponse = kept
      return kept.sink
    }
    if (this.#responseStream) return this.#responseStream.start(head)
    const { engine, space } = this.#terms
    this.#responseStream = new ResponseStream(engine, space.streams, this.#delivery, head, () => this.lost())
    return this.#responseStream.writer
  }

  releaseSlot(): void {
    this.#free()
    void this.#terms.engine.releaseSlot(this.#delivery)
  }

  breakOff(): void {
    this.#keptResponse = undefined
    this.#requestStream?.cancel()
    this.#responseStream?.breakOff()
  }

  complete(answer: HttpResponse): Promise<boolean> {
    this.#free()
    this.#requestStream?.cancel()
    const isKept = this.isKept
    const response = isKept ? (this.#keptResponse?.complete(answer) ?? keptWhole(answer)) : answer
    const stream = this.#responseStream
    if (stream?.isOpen || (!isKept && !stream && response.body.length > LARGEST_WHOLE)) {
      return this.#completeStreamed(response)
    }
    return this.#complete(response, encodeResponse(response))
  }

  async #completeStreamed(response: HttpResponse): Promise<boolean> {
    if (!this.#responseStream?.hasHead) {
      const headers = [...response.headers, ...contentLengthOf(response)]
      this.startResponse({ ...response, headers }).write(response.body)
    }
    return this.#complete(response, await this.#responseStream!.end(response.trailers))
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

  /** A cancelled task has not failed: no dead letter. */
  #deadLetterOf(response: HttpResponse): EncodedEntry | undefined {
    if (response.status < 500 || this.#isLost) return undefined
    return this.#terms.tasks?.deadLetterOf?.(this, response)
  }

  async progress(report: Buffer): Promise<void> {
    if (ticketOf(this.id) !== '') await this.#terms.engine.tickets.reportProgress(this.#delivery, report)
  }

  get isTransacting(): boolean {
    return this.#transaction !== undefined
  }

  /** Made when first read: most handlers never do. */
  get transaction(): Transaction {
    this.#transaction ??= new Transaction(this.#terms.engine, Math.max(this.remainingMs, 0), () => {}, this.#delivery)
    return this.#transaction
  }

  release(): Promise<void> {
    this.#free()
    this.breakOff()
    void this.#transaction?.end()
    return this.#terms.engine.release(this.#delivery)
  }

  /** Called by the engine. */
  lost(): void {
    this.#isLost = true
    this.#free()
    this.onLost?.()
  }

  #free(): void {
    if (!this.#hasSlot) return
    this.#hasSlot = false
    this.#terms.occupied--
    this.#terms.onFreed?.()
  }
}

/** A larger body is streamed past the space. */
const LARGEST_WHOLE = 256 * 1024

/**
 * The length of a body that is complete. Trailers need a chunked body, which has no Content-Length (RFC 9112 §7.1.2).
 */
const contentLengthOf = ({ body, trailers }: HttpResponse): string[] =>
  body.length > 0 && !trailers ? ['Content-Length', String(body.length)] : []

const bodyStreamOf = (reader: StreamReader): Rest => ({
  read: ({ onChunk, onEnd, onBroken }) =>
    reader.read({ onChunk, onBroken, onEnd: (last) => onEnd(decodeTrailers(last)) }),
  resume: () => reader.resume(),
  cancel: () => reader.cancel(),
})

const UNREADABLE: HttpResponse = {
  status: 400,
  reason: 'Bad Request',
  headers: ['Content-Type', 'text/plain; charset=utf-8'],
  body: Buffer.from('The entry of the request is malformed. The request was not run.\n'),
}

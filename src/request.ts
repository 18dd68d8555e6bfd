/** RequestEntry and ResponseEntry: the contract between gateway and workers, and how each side meets it in the space. */
import {
  type Backlog,
  type Delivery,
  type Engine,
  type Image,
  type Outcome,
  OWN_KINDS,
  type Pattern,
} from './engine.js'
import { SpaceError } from './errors.js'
import { failureIn, letterOf } from './failed-task.js'
import type { Space } from './space.js'
import { isLettered } from './task.js'
import { ticketOf } from './tickets.js'
import { tokenOf } from './token.js'
import { Transaction } from './transaction.js'

/** An HTTP request as bytes and strings; nothing of it has been decoded. */
export interface HttpRequest {
  readonly method: string
  /** The request target as the client sent it (RFC 9112 §3.2). */
  readonly target: string
  /** `1.1` or `1.0`. */
  readonly httpVersion: string
  /** Name, value, name, value … as received, in order, repeated fields repeated. */
  readonly headers: readonly string[]
  readonly body: Buffer
  /** The client's address and whether it came over TLS. */
  readonly peer: string
  readonly secure: boolean
}

/** An HTTP response as bytes and strings. */
export interface HttpResponse {
  readonly status: number
  readonly reason: string
  /** Name, value, name, value … in order; repeated fields such as Set-Cookie repeated. */
  readonly headers: readonly string[]
  readonly body: Buffer
}

/** What a gateway asks of the space. */
export interface Outgoing {
  readonly service: string
  /** The name of a task, for workers that have it; else it is for the service's app. */
  readonly task?: string
  /** From now until the client is told 504; the entry's lease. */
  readonly timeoutMs: number
  readonly priority: number
  /** Whether it may run again if its worker dies (idempotent method, Idempotency-Key, or the route says so). */
  readonly repeatable: boolean
  /** After so many deliveries whose workers died it goes to the dead letters; 1 to 9, default 3. */
  readonly maxDeliveries?: number
}

const MOST_DELIVERIES = 3

/** A request under way. */
export interface Sent {
  /** The entry's id: the one request id of gateway, space and worker. */
  readonly id: string
  /**
   * The worker's response. Rejects with SpaceError: SPACE_UNREACHABLE, SPACE_FULL, SPACE_CLOSED (nothing was done), OUTCOME_UNKNOWN,
   * WORKER_LOST, DELIVERIES_EXHAUSTED, BAD_RESPONSE. It does not end by itself at the deadline: the gateway's clock decides that.
   */
  readonly response: Promise<HttpResponse>
  /** The client is gone or the deadline has passed: the request is taken back, a late response dropped. Never rejects. */
  withdraw(): void
}

/** A request that a worker holds. */
export interface Taken {
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
  /** Says that the handler is about to run; to be awaited when the request is not repeatable. false: do not run it. */
  start(): Promise<boolean>
  /** Answers. false: the claim was lost, the space has refused this answer. */
  complete(response: HttpResponse): Promise<boolean>
  /** Says how far it is, to whoever has its ticket, if it has one. At most LARGEST_NOTE bytes. */
  progress(note: Buffer): Promise<void>
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

/** The kind of the entries that requests for an app are, and of those for a task. */
export const REQUEST = `${OWN_KINDS}Request`
export const TASK = `${OWN_KINDS}Task`

const indexOf = (service: string): string => `service=${tokenOf(service)}`

const taskToken = (task: string): string => `task=${tokenOf(task)}`

/** All requests for the app of a service, or all for any of these tasks. */
function patternOf(service: string, tasks?: readonly string[]): Pattern {
  const kind = tasks ? TASK : REQUEST
  const indexed = [indexOf(service)]
  const names = tasks?.map(taskToken) ?? []
  if (names.length === 1) indexed.push(names[0]!)
  return { kind, root: kind, indexed, verified: [], ...(names.length > 1 ? { anyOf: names } : {}) }
}

/** The entry that a request is. */
export function imageOf(id: string, request: HttpRequest, terms: Outgoing): Image {
  const { service, task, timeoutMs, priority, repeatable, maxDeliveries = MOST_DELIVERIES } = terms
  return {
    id,
    kinds: [task === undefined ? REQUEST : TASK],
    indexed: task === undefined ? [indexOf(service)] : [indexOf(service), taskToken(task)],
    verified: [],
    body: encodeRequest(request),
    leaseMs: timeoutMs,
    priority,
    request: { repeatable, maxDeliveries },
  }
}

/** Writes a request into the space. */
export function sendRequest(space: Space, request: HttpRequest, terms: Outgoing): Sent {
  const id = space.newId()
  const image = imageOf(id, request, terms)
  const response = new Promise<HttpResponse>((resolve, reject) => {
    const onOutcome = (outcome: Outcome): void => {
      // What may run again is written once more, for as long as its client waits.
      if (outcome.kind === 'unknown' && terms.repeatable) {
        space.engine.request({ ...image, leaseMs: outcome.remainingMs }, onOutcome).catch(reject)
        return
      }
      try {
        resolve(responseOf(outcome))
      } catch (error) {
        reject(error)
      }
    }
    space.engine.request(image, onOutcome).catch(reject)
  })
  const withdraw = (): void => {
    space.engine.withdraw(id).catch(() => {
      // The lease of the request ends at its deadline whether or not the space has heard of the withdrawal.
    })
  }
  return { id, response, withdraw }
}

function responseOf(outcome: Outcome): HttpResponse {
  if (outcome.kind === 'lost') throw new SpaceError('WORKER_LOST')
  if (outcome.kind === 'unknown') throw new SpaceError('OUTCOME_UNKNOWN')
  if (outcome.kind === 'exhausted') throw new SpaceError('DELIVERIES_EXHAUSTED')
  try {
    return decodeResponse(outcome.body)
  } catch (cause) {
    throw new SpaceError('BAD_RESPONSE', '', { cause })
  }
}

/** How many requests for the app of a service, or for its tasks, wait for a worker, and for how long the oldest has. */
export async function backlogOf(space: Space, service: string): Promise<Backlog> {
  const kinds = [REQUEST, TASK].map((kind) => ({ kind, root: kind, indexed: [indexOf(service)], verified: [] }))
  const [requests, tasks] = await Promise.all(kinds.map((pattern) => space.engine.backlog(pattern)))
  return { count: requests!.count + tasks!.count, oldestMs: Math.max(requests!.oldestMs, tasks!.oldestMs) }
}

/** Takes requests of a service from the space, at most `concurrency` held at a time: those for its app, or those for one of these tasks. */
export async function serveRequests(
  space: Space,
  service: string,
  concurrency: number,
  onRequest: (taken: Taken) => void,
  tasks?: readonly string[],
): Promise<Serving> {
  const terms = { engine: space.engine, service, credit: 1 }
  const offer = await space.engine.offer(patternOf(service, tasks), concurrency, (delivery) => {
    let request: HttpRequest
    try {
      request = decodeRequest(delivery.body)
    } catch {
      // A stranger's entry under our kind: answered as what it is, so that it is neither run nor delivered for ever.
      void space.engine.complete(delivery, encodeResponse(UNREADABLE), terms.credit).catch(() => {})
      return
    }
    onRequest(new Holding(terms, delivery, request))
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
interface Terms {
  readonly engine: Engine
  readonly service: string
  /** What a completion gives back: 1 as long as more is taken. */
  credit: number
}

/** One object per request, with methods rather than closures: this is the path that every request takes. */
class Holding implements Taken {
  readonly request: HttpRequest
  onLost: (() => void) | undefined
  readonly #terms: Terms
  readonly #delivery: Delivery
  #transaction: Transaction | undefined
  #isLost = false

  constructor(terms: Terms, delivery: Delivery, request: HttpRequest) {
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
    return this.#terms.engine.start(this.#delivery)
  }

  complete(response: HttpResponse): Promise<boolean> {
    const { engine, credit } = this.#terms
    const body = encodeResponse(response)
    const tx = this.#transaction
    if (tx?.isOpen && response.status < 500) {
      return tx.endWith((along) => engine.complete(this.#delivery, body, credit, along))
    }
    void tx?.end()
    const letter = this.#letterOf(response)
    return engine.complete(this.#delivery, body, credit, letter && { images: [letter] })
  }

  /** A task that failed and that nobody waits for becomes a dead letter together with its outcome. */
  #letterOf(response: HttpResponse): Image | undefined {
    const { request, service, attempt, priority } = this
    // What was cancelled has not failed.
    if (response.status < 500 || this.#isLost || !isLettered(request)) return undefined
    const failed = failureIn(response)
    return failed && letterOf(`${this.id}.letter`, service, request, { ...failed, attempts: attempt }, priority)
  }

  /** Says how far it is, to whoever has its ticket. */
  async progress(note: Buffer): Promise<void> {
    if (ticketOf(this.id) !== '') await this.#terms.engine.tickets.progress(this.#delivery, note)
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
    void this.#transaction?.end()
    return this.#terms.engine.release(this.#delivery)
  }

  /** The engine's word. */
  lost(): void {
    this.#isLost = true
    this.onLost?.()
  }
}

const UNREADABLE: HttpResponse = { status: 400, reason: 'Bad Request', headers: [], body: Buffer.alloc(0) }

// On the wire: one line of JSON (readable in redis-cli, and quicker than base64 by far), then the body as it is.
// Header values are Latin-1 strings in Node; JSON carries them exactly.

const NEWLINE = 10

function encode(head: readonly unknown[], body: Buffer): Buffer {
  const line = `${JSON.stringify(head)}\n`
  if (body.length === 0) return Buffer.from(line)
  return Buffer.concat([Buffer.from(line), body])
}

function decode(bytes: Buffer): { head: unknown[]; body: Buffer } {
  const end = bytes.indexOf(NEWLINE)
  const head: unknown = JSON.parse(bytes.toString('utf8', 0, end))
  if (end < 0 || !Array.isArray(head)) throw new TypeError('not a takespace message')
  return { head, body: bytes.subarray(end + 1) }
}

export function encodeRequest(r: HttpRequest): Buffer {
  return encode([r.method, r.target, r.httpVersion, r.peer, r.secure ? 1 : 0, r.headers], r.body)
}

export function decodeRequest(bytes: Buffer): HttpRequest {
  const { head, body } = decode(bytes)
  const [method, target, httpVersion, peer, secure, headers] = head
  if (!strings([method, target, httpVersion, peer]) || !strings(headers)) throw new TypeError('not a request')
  return {
    method: method as string,
    target: target as string,
    httpVersion: httpVersion as string,
    peer: peer as string,
    secure: secure === 1,
    headers,
    body,
  }
}

export function encodeResponse(r: HttpResponse): Buffer {
  return encode([r.status, r.reason, r.headers], r.body)
}

export function decodeResponse(bytes: Buffer): HttpResponse {
  const { head, body } = decode(bytes)
  const [status, reason, headers] = head
  if (typeof status !== 'number' || !strings([reason]) || !strings(headers)) throw new TypeError('not a response')
  return { status, reason: reason as string, headers, body }
}

const strings = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string')

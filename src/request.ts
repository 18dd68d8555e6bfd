/** Requests and responses as entries: the contract between gateway and workers. */

import type { Backlog, EncodedTemplate, Outcome } from './engine.js'
import { isSpaceError, SpaceError, unconfirmedError } from './errors.js'
import { requestEntry, requestTemplate, type SendOptions, TASK } from './request/kinds.js'
import { decodeResponse, type HttpRequest, type HttpResponse, placeIn, type ResponseHead } from './request/message.js'
import { StreamedResponse } from './request/streamed-response.js'
import type { StreamWriter } from './request/streams/index.js'
import type { Space } from './space.js'

export { REQUEST, requestEntry, type SendOptions, TASK } from './request/kinds.js'
export {
  clientOf,
  type HttpRequest,
  type HttpResponse,
  type RequestClient,
  type ResponseHead,
  type Rest,
  type RestReader,
} from './request/message.js'
export { OfferedServices } from './request/offered-services.js'
export { type HeldRequest, type Serving, serveRequests, type TaskOffer } from './request/serve.js'

/** A request that was sent. */
export interface Sent {
  /** The request id, the same in gateway, space and worker. */
  readonly id: string
  /**
   * The worker's response. Rejects with SpaceError SPACE_UNREACHABLE, SPACE_FULL, SPACE_CLOSED (nothing was done),
   * OUTCOME_UNKNOWN, WORKER_LOST, DELIVERIES_EXHAUSTED or BAD_RESPONSE. It does not end at the deadline: the caller has
   * the timer. With `rest` the body is streamed; its end is reported there.
   */
  readonly response: Promise<HttpResponse>
  /** The stream for the rest of the request's body, if it is streamed. */
  readonly upload: StreamWriter | undefined
  /**
   * Withdraws the request: the client has gone or the deadline has passed. A late response is dropped. Never rejects.
   */
  withdraw(): void
}

/** Writes a request into the space. `onInterim` is called for each interim response (RFC 9110 §15.2). */
export function sendRequest(
  space: Space,
  request: HttpRequest,
  terms: SendOptions,
  onInterim?: (head: ResponseHead) => void,
): Sent {
  const id = space.newId()
  const streamed = request.more !== undefined
  const entry = requestEntry(id, request, terms)
  const upload = streamed ? space.streams.writer(id) : undefined
  // Once a worker reads the body, the request ends with that worker, not with its lease.
  if (upload) upload.onReader = () => space.engine.awaitIndefinitely(id)
  let arrival: StreamedResponse | undefined
  const response = new Promise<HttpResponse>((resolve, reject) => {
    const fail = (error: unknown): void => {
      upload?.destroy('OUTCOME_UNKNOWN')
      reject(error)
      // Its caller has its answer: what may still wait in the space is not to run for nobody.
      if (isSpaceError(error, 'OUTCOME_UNKNOWN')) withdraw()
    }
    const onOutcome = (outcome: Outcome): void => {
      if (outcome.kind === 'responseStarted') {
        arrival ??= new StreamedResponse(space.streams, outcome, { onHead: resolve, onInterim, onFailed: fail })
        return
      }
      // A repeatable request is written again, for as long as its client waits.
      if (outcome.kind === 'unknown' && terms.repeatable && !streamed && !arrival) {
        space.engine.request({ ...entry, leaseMs: outcome.remainingMs }, onOutcome).catch(reject)
        return
      }
      try {
        const bytes = bodyOfOutcome(outcome)
        const place = placeIn(bytes)
        if (place) {
          arrival ??= new StreamedResponse(space.streams, place, { onHead: resolve, onInterim, onFailed: fail })
          arrival.completed()
        } else if (arrival) {
          // A response had started, and another outcome came.
          arrival.failed('BAD_RESPONSE')
        } else {
          resolve(decodeResponse(bytes))
        }
      } catch (error) {
        if (arrival && error instanceof SpaceError) arrival.failed(error.code)
        else fail(error instanceof SpaceError ? error : new SpaceError('BAD_RESPONSE', '', { cause: error }))
      }
    }
    if (streamed)
      space.streams
        .ready()
        .then(() => space.engine.request(entry, onOutcome))
        .catch(fail)
    else space.engine.request(entry, onOutcome).catch(fail)
  })
  const withdraw = (): void => {
    upload?.destroy('REQUEST_TIMEOUT')
    arrival?.cancel()
    space.engine.withdraw(id).catch(() => {
      // The lease ends at the deadline even if the space has not been told.
    })
  }
  return { id, response, upload, withdraw }
}

function bodyOfOutcome(outcome: Exclude<Outcome, { kind: 'responseStarted' }>): Buffer {
  if (outcome.kind === 'lost') throw new SpaceError('WORKER_LOST')
  if (outcome.kind === 'unknown') throw new SpaceError('OUTCOME_UNKNOWN')
  if (outcome.kind === 'unconfirmed') throw unconfirmedError()
  if (outcome.kind === 'exhausted') throw new SpaceError('DELIVERIES_EXHAUSTED')
  return outcome.body
}

/** Returns the templates of the requests of a service that wait: those for its app, and those for tasks. */
export const waitingTemplates = (service: string): readonly EncodedTemplate[] => [
  requestTemplate(service),
  { ...requestTemplate(service), kind: TASK, root: TASK },
]

/** Returns how many requests for the app and the tasks of a service wait for a worker, and the age of the oldest. */
export async function backlogOf(space: Space, service: string): Promise<Backlog> {
  const { engine } = space
  const [requests, tasks] = await Promise.all(waitingTemplates(service).map((template) => engine.backlog(template)))
  return { count: requests!.count + tasks!.count, oldestMs: Math.max(requests!.oldestMs, tasks!.oldestMs) }
}

/** Handler: the form in which a turn runs every kind of app. */

import type { Sink } from '../src/request/streams/collector.js'
import type { HttpRequest, HttpResponse, RequestClient, ResponseHead } from '../src/request.js'
import type { Transaction } from '../src/space/transaction.js'

/** The result of `currentRequest()`. */
export interface CurrentRequest {
  /** The request id: the X-Request-Id of the response. */
  readonly id: string
  readonly service: string
  readonly priority: number
  /** 1 on the first delivery. */
  readonly attempt: number
  /** When its client gets 504: ms since 1970 on this machine's clock. */
  readonly deadline: number
  /**
   * Fires when the result is of no use any more: the deadline has passed, the space has ended the claim, or the worker
   * stops.
   */
  readonly signal: AbortSignal
  /**
   * A transaction for `space.write(entry, { tx: transaction })`, takes and reads: its writes and takes commit with the
   * response or not at all. A response below 500 commits it, in the same step; an error, a status from 500 on, the
   * deadline or a lost claim aborts it. Its writes are sent with the response, so nothing is visible before.
   */
  readonly transaction: Transaction
  /** The client: the peer of the gateway or, behind its trusted proxies, the one that they tell. */
  readonly client: RequestClient
}

/** The turn as its handler sees it. */
export interface TurnContext extends CurrentRequest {
  /** True once the turn was cut short; its response will be dropped. */
  readonly wasCut: boolean
  /**
   * Starts a streamed response: sends this head, and returns where the body is written. Interim heads (1xx) may precede
   * the final one. The handler still resolves with a response at the end; only the trailers of that count.
   *
   * @throws SpaceError BAD_RESPONSE if HTTP cannot carry the head
   */
  startResponse(head: ResponseHead): Sink
  /** True if the turn has a span. */
  readonly isTraced: boolean
  /** The route of the app that answered, if the framework tells it; read at the end of a turn that is traced. */
  route: string | undefined
  /** Called when the turn is cut. Cheaper than `signal`, which needs an AbortController. */
  onCut: ((reason: Error) => void) | undefined
  /** Reports progress to the request's ticket; does nothing if there is none. */
  progress(report: Buffer): Promise<void>
  /** To be called when the app writes to a response that was closed. */
  runsOn(): void
  /** Logs an error that came too late to become the response. */
  tooLate(error: unknown): void
  /** Fails the request because of an error that its handler did not catch. Returns false if it was over before. */
  fail(error: unknown): boolean
}

export interface Handler {
  /**
   * Rejects if the app fails; never throws synchronously. After a cut it settles when the app has ended, either way.
   */
  (request: HttpRequest, turn: TurnContext): Promise<HttpResponse>
  /** Returns the response if the handler did not catch an error. Default: a plain 500. */
  failed?(request: HttpRequest, error: unknown): HttpResponse
}

/** Returns the response of a handler to its own error; undefined if it has none. */
export function responseOfFailure(handle: Handler, request: HttpRequest, error: unknown): HttpResponse | undefined {
  try {
    return handle.failed?.(request, error)
  } catch {
    return undefined
  }
}

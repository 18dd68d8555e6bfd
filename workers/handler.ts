/** Handler: the one shape that every app is brought into before a turn runs it. */

import type { Sink } from '../src/request/streams/collector.js'
import type { HttpRequest, HttpResponse, ResponseHead } from '../src/request.js'
import type { Transaction } from '../src/space/transaction.js'

/** What `currentRequest()` tells about the request that is being handled. */
export interface CurrentRequest {
  /** The entry's id: the one request id of gateway, space and worker. */
  readonly id: string
  readonly service: string
  readonly priority: number
  /** 1 on the first delivery. */
  readonly attempt: number
  /** When its client is told 504; ms since 1970, on this machine's clock. */
  readonly deadline: number
  /** Fires when the work is for nobody any more: the deadline has passed, the space has ended the claim, or the worker stops. */
  readonly signal: AbortSignal
  /**
   * For what is to become so together with the answer: `space.write(entry, { tx: transaction })`, takes and reads likewise. It is committed
   * by an answer below 500, in the same step; a failure, a status from 500 on, the deadline, or a lost claim aborts it. What it writes
   * travels with the answer, so nobody sees even that something is written.
   */
  readonly transaction: Transaction
  /** Where the request comes from, as the gateway has seen it. */
  readonly client: {
    /** IP address; 127.0.0.1 for `client.fetch()`, empty for a task. */
    readonly address: string
    readonly protocol: 'http' | 'https'
    /** The Host field; undefined if there is none (HTTP/1.0, a task). */
    readonly host: string | undefined
  }
}

/** The turn as its handler sees it. */
export interface TurnContext extends CurrentRequest {
  /** Whether it was cut short; its response will be dropped. */
  readonly wasCut: boolean
  /**
   * The answer goes out from now on as it is written: this head, then what is written to the stream that it returns. An interim head (1xx) may come
   * before the one that counts. The handler still settles with its response when all was written; of it only the trailers count.
   * @throws SpaceError BAD_RESPONSE when HTTP cannot carry this head
   */
  startResponse(head: ResponseHead): Sink
  /** Set it to hear of the cut without a signal: making an AbortController costs more than most turns have use for. */
  onCut: ((reason: Error) => void) | undefined
  /** Says how far it is to whoever has its ticket; nobody hears it if it has none. */
  progress(report: Buffer): Promise<void>
  /** To be called when the app writes to a response that was closed. */
  runsOn(): void
  /** Takes an error that came too late to become the response, so that it is at least logged. */
  tooLate(error: unknown): void
}

/** Rejects when the app failed; never throws synchronously. Once its turn was cut, it settles when the app has ended, either way. */
export type Handler = (request: HttpRequest, turn: TurnContext) => Promise<HttpResponse>

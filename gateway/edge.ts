/** The state of a gateway, and of each exchange under way. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { OpenSpan, Tracing } from '../src/admin/spans.js'
import { monotonicMs } from '../src/clock.js'
import type { Logger } from '../src/log.js'
import type { OfferedServices, Sent } from '../src/request.js'
import type { GatewayCounters } from '../src/runtime/counters.js'
import type { InFlight, Placed } from '../src/runtime/in-flight.js'
import type { Space } from '../src/space.js'
import type { Head } from './encode.js'
import type { Limits } from './limits.js'
import type { IdempotencyOptions } from './options.js'
import type { Load, Outages } from './outages.js'
import type { OwnErrors } from './own-errors.js'
import type { TrustedProxies } from './proxies.js'
import type { Routes } from './routes.js'
import type { Upload } from './upload.js'
import type { Uploads } from './uploads.js'

/** Shared by all exchanges of one gateway. */
export interface Edge {
  readonly space: Space
  readonly routes: Routes
  /** The services whose requests workers take. */
  readonly offered: OfferedServices
  readonly limits: Limits
  /** The request bodies of which more is to come. */
  readonly uploads: Uploads
  readonly ownErrors: OwnErrors
  readonly outages: Outages
  readonly log: Logger
  /**
   * open: takes requests. leaving: also on new connections, and closes each connection after its response. draining: the
   * same, without new connections. stopped: takes none.
   */
  phase: 'open' | 'leaving' | 'draining' | 'stopped'
  /** The services that are paused and whose requests are refused at once. */
  refused: ReadonlySet<string>
  /** Maximum bytes of a streamed body that are buffered for a retry. */
  readonly replayBytes: number
  readonly idempotency: Required<IdempotencyOptions>
  readonly proxies: TrustedProxies
  /** Protocols beside WebSocket that an app may switch to, in lower case. */
  readonly upgradeProtocols: readonly string[]
  /** The upgraded connections: each function closes one, for a restart. */
  readonly upgraded: Set<() => void>
  /** Set if metrics are read, before the start: counters, and the exchanges under way. */
  watch: GatewayMonitor | undefined
  /** Set if a tracer provider is registered. */
  tracing: Tracing | undefined
}

export interface GatewayMonitor {
  readonly counters: GatewayCounters
  readonly open: InFlight<StartedExchange>
}

export interface StartedExchange extends Placed {
  readonly since: number
}

/** The state of one request. */
export interface Exchange extends StartedExchange {
  readonly edge: Edge
  readonly req: IncomingMessage
  readonly res: ServerResponse
  head: Head | undefined
  /** True once the limits have counted the request; `bytes` of body were counted with it. */
  entered: boolean
  bytes: number
  /** The service; '' before the request is admitted. */
  service: string
  /** The counters in which the request waits, until its response. */
  load: Load | undefined
  span: OpenSpan | undefined
  /** The id of its entry, or of the ticket of its answer; '' before there is one. */
  entryId: string
  /** The rest of a streamed request body. */
  upload: Upload | undefined
  sent: Sent | undefined
  /** The status of the response; 499, as in nginx, if the client had gone. */
  status: number
  code: string | undefined
}

export const startExchange = (edge: Edge, req: IncomingMessage, res: ServerResponse): Exchange => ({
  place: -1,
  since: monotonicMs(),
  edge,
  req,
  res,
  head: undefined,
  entered: false,
  bytes: 0,
  service: '',
  load: undefined,
  span: undefined,
  entryId: '',
  upload: undefined,
  sent: undefined,
  status: 0,
  code: undefined,
})

/** Returns the id of a request: that of a trusted proxy, else that of its entry; '' before there is one. */
export const requestIdOf = ({ head, entryId }: Exchange): string => head?.id ?? entryId

/** The options of createGateway: each value is checked before anything is opened. */
import { type AdminOptions, checkedAdmin, MOVED_TO_ADMIN } from '../src/admin/options.js'
import { LONGEST_TIMER_MS } from '../src/clock.js'
import { type Moved, onlyKnown } from '../src/errors/unknown-option.js'
import { type Logger, silent } from '../src/log.js'
import { Space } from '../src/space.js'
import { checkBytes, checkInteger, invalid } from './checked-value.js'
import { type PrincipalOf, principalIn } from './idempotency-key.js'
import { isForbidden, isProtocolName } from './protocols.js'
import { checkServices, type ServiceOptions } from './service-options.js'
import { checkTls, type HttpsOptions } from './tls/options.js'
import { type TrustProxy, trustOf } from './trust.js'

export interface GatewayOptions {
  /** The space that requests are written into. */
  readonly space: Space
  /** The address to listen on. Default 127.0.0.1: reachable from this machine only. */
  readonly host?: string | undefined
  /** The port to listen on; 0 = any free port, see `gateway.url`. Default 8080. */
  readonly port?: number | undefined
  /** HTTPS, with HTTP/1.1 and HTTP/2 on the same port. Default: plain HTTP. */
  readonly tls?: HttpsOptions | undefined
  /** Also HTTP/2 without TLS, by prior knowledge, as some proxies use it. Default false. */
  readonly h2c?: boolean | undefined
  /**
   * The services with their hosts and paths: the most specific host wins, then the longest path prefix. Default: all
   * requests are for the service `web`.
   */
  readonly services?: readonly ServiceOptions[] | undefined
  /**
   * The proxies in front, as in the setting `trust proxy` of Express: their number, a list of addresses, CIDR ranges
   * and names (`loopback`, `linklocal`, `uniquelocal`, `private` = all three), true = any peer, or a function of an
   * address and its distance. `X-Forwarded-*`, `X-Real-IP` and `Forwarded` of a trusted peer reach the app unchanged and
   * tell the gateway who the client is; those of others are dropped. Default: no peer is trusted. With `false` the
   * gateway does not warn if it drops the fields of a private peer.
   */
  readonly trustProxy?: TrustProxy | undefined
  /**
   * Connections of trusted proxies begin with a header of the PROXY protocol, version 1 or 2: the address of the peer is
   * then the one in the header, for the app too. Such a connection without a header is closed; other peers send none.
   * Needs `trustProxy`. Default false.
   */
  readonly proxyProtocol?: boolean | undefined
  /**
   * Protocols beside WebSocket to which an app may switch a connection (RFC 9110 §7.8), as Upgrade names them: `['tcp']`.
   * A name without a version covers all versions. Default: none; a request for another protocol is served by HTTP/1.1.
   */
  readonly upgradeProtocols?: readonly string[] | undefined
  /**
   * How long the port stays open after stop() was called, in ms: /readyz is 503 at once, requests are still accepted, and
   * a load balancer has the time to notice. Longer than its interval of checks, such as 5 000. Default 0.
   */
  readonly drainDelayMs?: number | undefined
  /**
   * How long a connection without a request stays open, in ms, from 1 000 on. Longer than the proxy in front keeps it: the
   * side that sends requests must be the first to close, or a request meets a connection that is closing. HTTP/1.1
   * clients are told 5 s less (`Keep-Alive`), at least half. Default 65 000, for proxies with 60 s.
   */
  readonly keepAliveMs?: number | undefined
  readonly limits?: GatewayLimits | undefined
  readonly idempotency?: IdempotencyOptions | undefined
  /** Probes and metrics. Default: no admin port. */
  readonly admin?: AdminOptions | undefined
  /** A pino instance or anything like it; one info line per request. Default: nothing is logged. */
  readonly logger?: Logger | undefined
}

export interface GatewayLimits {
  /** Time from the end of a request's body until its client gets 504, in ms. Default 30 000. */
  readonly timeoutMs?: number | undefined
  /** The largest request body, in bytes; Infinity = any. A larger one gets 413. Default 1 MiB. */
  readonly bodyBytes?: number | undefined
  /**
   * Maximum bytes of a streamed request body that are buffered for a retry, until the request is answered: 256 KiB in
   * memory, the rest in a temporary file. If the worker dies while it reads a longer body, the client gets 502. Default
   * 64 MiB.
   */
  readonly replayBytes?: number | undefined
  /**
   * After this many workers have died while handling a request, it goes to the dead letters, its client gets 502; 1 to
   * 9. Default 3.
   */
  readonly maxDeliveries?: number | undefined
  /** Requests under way at a time; one more gets 503 with Retry-After. Default 10 000. */
  readonly inFlight?: number | undefined
}

/** Requests with an Idempotency-Key (draft-ietf-httpapi-idempotency-key-header). */
export interface IdempotencyOptions {
  /** How long an answer is stored and given again, in ms. Default a day. */
  readonly leaseMs?: number | undefined
  /**
   * Maximum total bytes of stored answers and tickets in the space, as Redis stores them, about 420 bytes for a small one;
   * beyond it, requests with a key get 503. One principal may take as much as is left for the others, so at most half.
   * Default 256 MiB.
   */
  readonly maxBytes?: number | undefined
  /**
   * Returns who sent a request, given its header fields by lower-case name and its client (`address`, `protocol`,
   * `host`; see `trustProxy`). The keys of different principals are independent. Default: `authorization`, else
   * `cookie`. If these change between two tries of one client, return what does not, such as the subject of its token.
   */
  readonly principalOf?: PrincipalOf | undefined
}

/** The default of `keepAliveMs`: longer than the 60 s of common load balancers. */
export const KEEP_ALIVE_MS = 65_000
const LEAST_KEEP_ALIVE_MS = 1_000

const OPTIONS: ReadonlySet<string> = new Set([
  'space',
  'host',
  'port',
  'tls',
  'h2c',
  'services',
  'trustProxy',
  'proxyProtocol',
  'upgradeProtocols',
  'drainDelayMs',
  'keepAliveMs',
  'limits',
  'idempotency',
  'admin',
  'logger',
])
const LIMITS: ReadonlySet<string> = new Set(['timeoutMs', 'bodyBytes', 'replayBytes', 'maxDeliveries', 'inFlight'])
const IDEMPOTENCY: ReadonlySet<string> = new Set(['leaseMs', 'maxBytes', 'principalOf'])

/** The names that these options had before they were grouped. */
const MOVED: Moved = {
  timeoutMs: 'limits.timeoutMs',
  maxBodyBytes: 'limits.bodyBytes',
  maxReplayBytes: 'limits.replayBytes',
  maxDeliveries: 'limits.maxDeliveries',
  maxInFlight: 'limits.inFlight',
  keyLeaseMs: 'idempotency.leaseMs',
  maxKeyBytes: 'idempotency.maxBytes',
  principalOf: 'idempotency.principalOf',
  ...MOVED_TO_ADMIN,
}

type Complete<T> = { readonly [K in keyof T]-?: NonNullable<T[K]> }

export interface CheckedGatewayOptions
  extends Omit<Complete<GatewayOptions>, 'tls' | 'trustProxy' | 'limits' | 'idempotency' | 'admin'> {
  readonly tls: HttpsOptions | undefined
  readonly trustProxy: TrustProxy | undefined
  readonly limits: Complete<GatewayLimits>
  readonly idempotency: Complete<IdempotencyOptions>
  readonly admin: ReturnType<typeof checkedAdmin>
}

/** Returns the options with their defaults. Throws INVALID_ARGUMENT that names the option. */
export function checked(options: GatewayOptions): CheckedGatewayOptions {
  onlyKnown('createGateway', options, OPTIONS, MOVED)
  const { space, host = '127.0.0.1', port = 8080, services = [{ service: 'web' }], logger = silent } = options
  const { upgradeProtocols: protocols = [], drainDelayMs = 0, keepAliveMs = KEEP_ALIVE_MS } = options
  if (!(space instanceof Space)) throw invalid('space is what openSpace returned.')
  if (typeof host !== 'string' || host === '') throw invalid('host is an address or a host name.')
  checkInteger('port', port, 0, 65_535)
  checkServices(services)
  const upgradeProtocols = checkedProtocols(protocols)
  checkInteger('drainDelayMs', drainDelayMs, 0, LONGEST_TIMER_MS)
  checkInteger('keepAliveMs', keepAliveMs, LEAST_KEEP_ALIVE_MS, LONGEST_TIMER_MS)
  if (typeof logger?.info !== 'function')
    throw invalid('logger must be a pino instance or have the methods debug, info, warn and error.')
  const { tls, h2c = false, trustProxy, proxyProtocol = false } = options
  if (tls !== undefined) checkTls(tls)
  if (typeof h2c !== 'boolean') throw invalid('h2c is true or false.')
  if (trustProxy !== undefined) trustOf(trustProxy)
  if (typeof proxyProtocol !== 'boolean') throw invalid('proxyProtocol is true or false.')
  if (proxyProtocol && !trustProxy) {
    throw invalid('proxyProtocol needs trustProxy (--trust-proxy), the addresses of the proxies that send the header.')
  }
  const limits = checkedLimits(options.limits)
  const idempotency = checkedIdempotency(options.idempotency)
  const admin = checkedAdmin(options.admin)
  return {
    space,
    host,
    port,
    tls,
    h2c,
    services,
    trustProxy,
    proxyProtocol,
    upgradeProtocols,
    drainDelayMs,
    keepAliveMs,
    limits,
    idempotency,
    admin,
    logger,
  }
}

function checkedProtocols(names: readonly string[]): string[] {
  if (!Array.isArray(names) || !names.every(isProtocolName)) {
    throw invalid('upgradeProtocols is a list of protocol names, such as tcp or foo/2.')
  }
  const forbidden = names.find(isForbidden)
  if (forbidden) throw invalid(`upgradeProtocols cannot have ${forbidden}: HTTP/2 ends at the gateway.`)
  return names.map((name) => name.toLowerCase())
}

function checkedLimits(options: GatewayLimits = {}): Complete<GatewayLimits> {
  onlyKnown('limits', options, LIMITS)
  const { timeoutMs = 30_000, bodyBytes = 1 << 20, replayBytes = 64 << 20, maxDeliveries = 3 } = options
  const { inFlight = 10_000 } = options
  checkInteger('limits.timeoutMs', timeoutMs, 1, LONGEST_TIMER_MS)
  checkBytes('limits.bodyBytes', bodyBytes)
  checkInteger('limits.replayBytes', replayBytes, 0, Number.MAX_SAFE_INTEGER)
  checkInteger('limits.maxDeliveries', maxDeliveries, 1, 9)
  checkInteger('limits.inFlight', inFlight, 1, Number.MAX_SAFE_INTEGER)
  return { timeoutMs, bodyBytes, replayBytes, maxDeliveries, inFlight }
}

function checkedIdempotency(options: IdempotencyOptions = {}): Complete<IdempotencyOptions> {
  onlyKnown('idempotency', options, IDEMPOTENCY)
  const { leaseMs = 86_400_000, maxBytes = 256 << 20, principalOf = principalIn } = options
  checkInteger('idempotency.leaseMs', leaseMs, 1, LONGEST_TIMER_MS)
  checkInteger('idempotency.maxBytes', maxBytes, 0, Number.MAX_SAFE_INTEGER)
  if (typeof principalOf !== 'function') throw invalid('idempotency.principalOf is a function of header fields.')
  return { leaseMs, maxBytes, principalOf }
}

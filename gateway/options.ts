/** What createGateway may be given, and what it makes of it: every value is checked before anything is opened. */
import { LONGEST_TIMER_MS } from '../src/clock.js'
import { onlyKnown } from '../src/errors/unknown-option.js'
import { SpaceError } from '../src/errors.js'
import { type Logger, silent } from '../src/log.js'
import { Space } from '../src/space.js'
import { type PrincipalOf, principalIn } from './idempotency-key.js'
import type { ServiceOptions } from './routes.js'

export interface GatewayOptions {
  /** The space that requests are written into. */
  readonly space: Space
  /** The address to listen on. Default 127.0.0.1: reachable from this machine only. */
  readonly host?: string | undefined
  /** The port to listen on; 0 = any free one, see `gateway.url`. Default 8080. */
  readonly port?: number | undefined
  /** From the moment a request is complete until its client is told 504, in ms. Default 30 000. */
  readonly timeoutMs?: number | undefined
  /** The largest request body accepted, in bytes, Infinity for any; a larger one gets 413. Default 1 MiB. */
  readonly maxBodyBytes?: number | undefined
  /**
   * Of a request body that comes bit by bit, and whose request may run again, so many bytes are kept until it is answered: 256 KiB in memory, the
   * rest in a temporary file. If its worker dies, another one can be given all of it; of a longer one the client gets 502. Default 64 MiB.
   */
  readonly maxReplayBytes?: number | undefined
  /** After so many deliveries whose workers died a request goes to the dead letters and its client gets 502; 1 to 9. Default 3. */
  readonly maxDeliveries?: number | undefined
  /** How long the answer to a request with an Idempotency-Key is given again, in ms. Default a day. */
  readonly keyLeaseMs?: number | undefined
  /**
   * Requests with an Idempotency-Key get 503 while the answers that are kept in the space, with all tickets, take so many bytes. Default 256 MiB.
   */
  readonly maxKeyBytes?: number | undefined
  /**
   * Whom a request is from, by its header fields (lower-case names): the keys of different ones are independent. Default: by `authorization`, else
   * by `cookie`. Where these change between two tries of one client, say what does not, such as the subject of its token.
   */
  readonly principalOf?: PrincipalOf | undefined
  /** Requests under way at a time; one more gets 503 with Retry-After. Default 10 000. */
  readonly maxInFlight?: number | undefined
  /** Which requests are for which service; the longest pathPrefix wins. Default: all for the service `web`. */
  readonly services?: readonly ServiceOptions[] | undefined
  /** Where probes and metrics are answered; 0 = any free port, see `gateway.adminUrl`. Default: nowhere. */
  readonly adminPort?: number | undefined
  /** The address of the admin port. Default 127.0.0.1: reachable from this machine only. */
  readonly adminHost?: string | undefined
  /** A pino instance or anything like it; one info line per request. Default: none, nothing is logged. */
  readonly logger?: Logger | undefined
}

const NAMES: ReadonlySet<string> = new Set([
  'space',
  'host',
  'port',
  'timeoutMs',
  'maxBodyBytes',
  'maxReplayBytes',
  'maxDeliveries',
  'maxInFlight',
  'keyLeaseMs',
  'maxKeyBytes',
  'principalOf',
  'services',
  'adminPort',
  'adminHost',
  'logger',
])
const SERVICE_NAMES: ReadonlySet<string> = new Set(['service', 'pathPrefix', 'timeoutMs', 'repeatable', 'priority'])

type Checked = Required<Omit<GatewayOptions, 'adminPort'>> & Pick<GatewayOptions, 'adminPort'>

/** The options with their defaults. Throws INVALID_ARGUMENT that names the one that is wrong. */
export function checked(options: GatewayOptions): Checked {
  onlyKnown('createGateway', options, NAMES)
  const {
    space,
    host = '127.0.0.1',
    port = 8080,
    timeoutMs = 30_000,
    maxBodyBytes = 1 << 20,
    maxReplayBytes = 64 << 20,
    keyLeaseMs = 86_400_000,
    maxKeyBytes = 256 << 20,
    principalOf = principalIn,
    maxDeliveries = 3,
    maxInFlight = 10_000,
    services = [{ service: 'web' }],
    adminPort,
    adminHost = '127.0.0.1',
    logger = silent,
  } = options
  if (!(space instanceof Space)) throw invalid('space is what openSpace gives.')
  if (typeof host !== 'string' || host === '') throw invalid('host is an address or a host name.')
  integer('port', port, 0, 65_535)
  if (adminPort !== undefined) integer('adminPort', adminPort, 0, 65_535)
  if (typeof adminHost !== 'string' || adminHost === '') throw invalid('adminHost is an address or a host name.')
  integer('timeoutMs', timeoutMs, 1, LONGEST_TIMER_MS)
  if (maxBodyBytes !== Number.POSITIVE_INFINITY) integer('maxBodyBytes', maxBodyBytes, 0, Number.MAX_SAFE_INTEGER)
  integer('maxReplayBytes', maxReplayBytes, 0, Number.MAX_SAFE_INTEGER)
  integer('keyLeaseMs', keyLeaseMs, 1, LONGEST_TIMER_MS)
  integer('maxKeyBytes', maxKeyBytes, 0, Number.MAX_SAFE_INTEGER)
  if (typeof principalOf !== 'function') throw invalid('principalOf is a function of header fields.')
  integer('maxDeliveries', maxDeliveries, 1, 9)
  integer('maxInFlight', maxInFlight, 1, Number.MAX_SAFE_INTEGER)
  if (!Array.isArray(services) || services.length === 0) throw invalid('services is a list of at least one service.')
  services.forEach(checkService)
  if (typeof logger?.info !== 'function')
    throw invalid('logger has debug, info, warn and error, as a pino instance has.')
  const keys = { keyLeaseMs, maxKeyBytes, principalOf }
  const terms = { timeoutMs, maxBodyBytes, maxReplayBytes, maxDeliveries, maxInFlight, services, ...keys }
  return { space, host, port, ...terms, adminPort, adminHost, logger }
}

function checkService(options: ServiceOptions, i: number): void {
  const at = `services[${i}]`
  onlyKnown(at, options, SERVICE_NAMES)
  const { service, pathPrefix, timeoutMs, repeatable, priority } = options
  if (typeof service !== 'string' || service === '') throw invalid(`${at}.service is a service's name.`)
  if (pathPrefix !== undefined && (typeof pathPrefix !== 'string' || !pathPrefix.startsWith('/'))) {
    throw invalid(`${at}.pathPrefix is a path that begins with a slash.`)
  }
  if (timeoutMs !== undefined) integer(`${at}.timeoutMs`, timeoutMs, 1, LONGEST_TIMER_MS)
  if (repeatable !== undefined && typeof repeatable !== 'boolean') throw invalid(`${at}.repeatable is true or false.`)
  if (priority !== undefined) integer(`${at}.priority`, priority, -128, 127)
}

function integer(name: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw invalid(`${name} is an integer from ${min} to ${max}, not ${String(value)}.`)
  }
}

const invalid = (detail: string): SpaceError => new SpaceError('INVALID_ARGUMENT', detail)

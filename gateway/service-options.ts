/** The option `services`: which requests are for which service, and how its requests are treated. */
import { LONGEST_TIMER_MS } from '../src/clock.js'
import { onlyKnown } from '../src/errors/unknown-option.js'
import { checkBytes, checkInteger, invalid } from './checked-value.js'
import { isHostPattern } from './host-names.js'

export interface ServiceOptions {
  /** The service whose workers take these requests. */
  readonly service: string
  /**
   * The host of the requests: a name, or `*.example.com` for all names below it. The name alone precedes wildcards, a
   * longer wildcard a shorter one, any of them services without a host. Default: all hosts.
   */
  readonly host?: string | undefined
  /**
   * The path and all paths below it: `/api` covers `/api`, `/api/x` and `/api?y`, not `/apis`. The longest one of the
   * host wins; if none of the host covers the path, those of the next wider host are tried. Default: all paths.
   */
  readonly pathPrefix?: string | undefined
  /**
   * Time from the end of a request's body until its client gets 504, in ms. Default: `limits.timeoutMs` of the gateway.
   */
  readonly timeoutMs?: number | undefined
  /** The largest request body, in bytes; Infinity = any. Default: `limits.bodyBytes` of the gateway. */
  readonly bodyBytes?: number | undefined
  /**
   * True if all of its requests may run again when their worker dies, also a POST without Idempotency-Key. Default
   * false.
   */
  readonly repeatable?: boolean | undefined
  /**
   * After this many workers have died while handling a request, it goes to the dead letters, its client gets 502; 1 to
   * 9. Default: `limits.maxDeliveries` of the gateway.
   */
  readonly maxDeliveries?: number | undefined
  /** Higher is taken first; an integer from -128 to 127. Default 0. */
  readonly priority?: number | undefined
  /**
   * While no worker takes requests of the service: `wait` holds each until its deadline, `refuse` answers 503 NO_WORKER
   * at once. A gateway learns within 500 ms that workers have come or gone. Default `wait`.
   */
  readonly withoutWorker?: 'wait' | 'refuse' | undefined
}

const SERVICE: ReadonlySet<string> = new Set([
  'service',
  'host',
  'pathPrefix',
  'timeoutMs',
  'bodyBytes',
  'repeatable',
  'maxDeliveries',
  'priority',
  'withoutWorker',
])

/** Throws INVALID_ARGUMENT that names the service by its position, and the option. */
export function checkServices(services: readonly ServiceOptions[]): void {
  if (!Array.isArray(services) || services.length === 0) throw invalid('services is a list of at least one service.')
  const places = new Map<string, number>()
  services.forEach((options, i) => {
    checkService(options, `services[${i}]`)
    const place = `${hostOf(options)} ${prefixOf(options)}`
    const before = places.get(place)
    if (before !== undefined) throw invalid(`services[${i}] has the host and the path of services[${before}].`)
    places.set(place, i)
  })
}

function checkService(options: ServiceOptions, at: string): void {
  onlyKnown(at, options, SERVICE)
  const { service, host, pathPrefix, timeoutMs, bodyBytes, repeatable, maxDeliveries, priority, withoutWorker } =
    options
  if (typeof service !== 'string' || service === '') throw invalid(`${at}.service is the name of a service.`)
  if (host !== undefined && !isHostPattern(host)) {
    throw invalid(`${at}.host is a host name without a port, or *. and a name: api.example.com, *.example.com.`)
  }
  if (pathPrefix !== undefined && !(typeof pathPrefix === 'string' && /^\/[^?#\s]*$/.test(pathPrefix))) {
    throw invalid(`${at}.pathPrefix is a path that begins with a slash, without a query.`)
  }
  if (timeoutMs !== undefined) checkInteger(`${at}.timeoutMs`, timeoutMs, 1, LONGEST_TIMER_MS)
  if (bodyBytes !== undefined) checkBytes(`${at}.bodyBytes`, bodyBytes)
  if (repeatable !== undefined && typeof repeatable !== 'boolean') throw invalid(`${at}.repeatable is true or false.`)
  if (maxDeliveries !== undefined) checkInteger(`${at}.maxDeliveries`, maxDeliveries, 1, 9)
  if (priority !== undefined) checkInteger(`${at}.priority`, priority, -128, 127)
  if (withoutWorker !== undefined && withoutWorker !== 'wait' && withoutWorker !== 'refuse') {
    throw invalid(`${at}.withoutWorker is wait or refuse.`)
  }
}

/** Returns the host in lower case; '' covers every host. */
export const hostOf = ({ host = '' }: ServiceOptions): string => host.toLowerCase()

/** Returns the path prefix without slashes at its end; '' covers every path. */
export const prefixOf = ({ pathPrefix = '' }: ServiceOptions): string => pathPrefix.replace(/\/+$/, '')

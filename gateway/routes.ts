/** Routes: the service of a request and its options; the longest path prefix wins. */
import { IDEMPOTENT_METHODS } from '../src/request/http.js'
import type { SendOptions } from '../src/request.js'
import type { Load } from './outages.js'

export interface ServiceOptions {
  /** The service whose workers take these requests. */
  readonly service: string
  /** The path and all paths below it: `/api` covers `/api`, `/api/x` and `/api?y`, not `/apis`. Default: all paths. */
  readonly pathPrefix?: string | undefined
  /**
   * Time from the end of a request's body until its client gets 504, in ms. Default: `limits.timeoutMs` of the gateway.
   */
  readonly timeoutMs?: number | undefined
  /**
   * True if all of its requests may run again when their worker dies, also a POST without Idempotency-Key. Default
   * false.
   */
  readonly repeatable?: boolean | undefined
  /** Higher is taken first; an integer from -128 to 127. Default 0. */
  readonly priority?: number | undefined
}

export interface Route {
  /** Without a trailing slash; '' covers every path. */
  readonly prefix: string
  /** The options of a request that may run once, and of one that may run again. */
  readonly once: SendOptions
  readonly repeatable: SendOptions
  /** Counters of the service, shared by all of its routes. */
  readonly load: Load
}

/** Longest prefix first. */
export function routesOf(
  services: readonly ServiceOptions[],
  defaultTimeoutMs: number,
  maxDeliveries: number,
  loadOf: (service: string) => Load,
): Route[] {
  const routes = services.map((options) => ({
    ...routeOf(options, defaultTimeoutMs, maxDeliveries),
    load: loadOf(options.service),
  }))
  return routes.sort((a, b) => b.prefix.length - a.prefix.length)
}

function routeOf(options: ServiceOptions, defaultTimeoutMs: number, maxDeliveries: number): Omit<Route, 'load'> {
  const { service, pathPrefix = '', timeoutMs = defaultTimeoutMs, priority = 0, repeatable = false } = options
  const terms = { service, timeoutMs, priority, maxDeliveries }
  return {
    prefix: pathPrefix.replace(/\/+$/, ''),
    once: { ...terms, repeatable },
    repeatable: { ...terms, repeatable: true },
  }
}

export function routeFor(routes: readonly Route[], target: string): Route | undefined {
  return routes.find(({ prefix }) => covers(prefix, target))
}

export function termsFor(route: Route, method: string, hasKey: boolean): SendOptions {
  return hasKey || IDEMPOTENT_METHODS.has(method) ? route.repeatable : route.once
}

const AFTER_PREFIX = new Set(['', '/', '?'])

const covers = (prefix: string, target: string): boolean =>
  prefix === '' || (target.startsWith(prefix) && AFTER_PREFIX.has(target.charAt(prefix.length)))

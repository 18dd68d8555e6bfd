/**
 * Routes: the service of a request and its options. The most specific host wins, then the longest path prefix; a search
 * does not depend on the number of services.
 */
import { IDEMPOTENT_METHODS } from '../src/request/http.js'
import type { SendOptions } from '../src/request.js'
import { hostNameIn } from './host-names.js'
import { BodyLimits, type Limits } from './limits.js'
import type { Load } from './outages.js'
import { PathPrefixes } from './path-prefixes.js'
import { hostOf, prefixOf, type ServiceOptions } from './service-options.js'

export interface Route {
  /** Without a trailing slash; '' covers every path. */
  readonly prefix: string
  /** The options of a request that may run once, and of one that may run again. */
  readonly once: SendOptions
  readonly repeatable: SendOptions
  readonly bodies: BodyLimits
  /** Requests get 503 while no worker takes them. */
  readonly refusesWithoutWorker: boolean
  /** Counters of the service, shared by all of its routes. */
  readonly load: Load
}

/** Terms of services that do not say otherwise. */
export interface RouteDefaults {
  readonly timeoutMs: number
  readonly bodyBytes: number
  readonly maxDeliveries: number
}

export class Routes {
  readonly all: readonly Route[]
  readonly #ofAnyHost = new PathPrefixes<Route>()
  /** By host; `*.example.com` is `.example.com`. */
  readonly #byHost = new Map<string, PathPrefixes<Route>>()

  constructor(
    services: readonly ServiceOptions[],
    defaults: RouteDefaults,
    limits: Limits,
    loadOf: (service: string) => Load,
  ) {
    this.all = services.map((options) => {
      const route = routeOf(options, defaults, limits, loadOf(options.service))
      this.#prefixesOf(hostOf(options).replace('*', '')).set(route.prefix, route)
      return route
    })
  }

  /** Returns the route of a request target; `host` is that of the Host field. */
  find(host: string | undefined, target: string): Route | undefined {
    if (this.#byHost.size > 0) {
      const found = this.#findByHost(hostNameIn(host), target)
      if (found) return found
    }
    return this.#ofAnyHost.find(target)
  }

  #findByHost(name: string, target: string): Route | undefined {
    const found = this.#byHost.get(name)?.find(target)
    if (found) return found
    for (let dot = name.indexOf('.'); dot > 0; dot = name.indexOf('.', dot + 1)) {
      const below = this.#byHost.get(name.slice(dot))?.find(target)
      if (below) return below
    }
    return undefined
  }

  #prefixesOf(host: string): PathPrefixes<Route> {
    if (host === '') return this.#ofAnyHost
    let prefixes = this.#byHost.get(host)
    if (!prefixes) {
      prefixes = new PathPrefixes()
      this.#byHost.set(host, prefixes)
    }
    return prefixes
  }
}

function routeOf(options: ServiceOptions, defaults: RouteDefaults, limits: Limits, load: Load): Route {
  const { service, priority = 0, repeatable = false, withoutWorker, bodyBytes } = options
  const { timeoutMs = defaults.timeoutMs, maxDeliveries = defaults.maxDeliveries } = options
  const terms = { service, timeoutMs, priority, maxDeliveries }
  return {
    prefix: prefixOf(options),
    once: { ...terms, repeatable },
    repeatable: { ...terms, repeatable: true },
    bodies:
      bodyBytes === undefined
        ? new BodyLimits(limits, defaults.bodyBytes, 'limits.bodyBytes of the gateway, --max-body-bytes')
        : new BodyLimits(limits, bodyBytes, 'bodyBytes of the service'),
    refusesWithoutWorker: withoutWorker === 'refuse',
    load,
  }
}

export function termsFor(route: Route, method: string, hasKey: boolean): SendOptions {
  return hasKey || IDEMPOTENT_METHODS.has(method) ? route.repeatable : route.once
}

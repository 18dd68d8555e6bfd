/**
 * Spans of client calls, exchanges and turns, if the user brings an SDK. The only file that imports @opentelemetry/api,
 * the app's own, when something is registered with it.
 */
import { createRequire } from 'node:module'
import type { Context, Span, SpanOptions, Tracer } from '@opentelemetry/api'
import { NOT_TEXT } from '../request/http.js'
import type { RequestClient } from '../request/message.js'
import { TASK_METHOD } from '../tasks/message.js'

const NAME = 'takespace'

/** Header of a recurring task: each run is a trace of its own, linked to that in which the schedule was declared. */
const LINKED = 'Trace-Linked'

/** Operations of a client that have a span. */
export type ClientOperation = 'call' | 'fetch' | 'send' | 'schedule'

type Api = typeof import('@opentelemetry/api')

const require = createRequire(import.meta.url)

/** The global in which all copies of version 1 of the API keep what is registered. */
const REGISTERED = Symbol.for('opentelemetry.js.api.1')

/** Spans of a process in which a provider is registered. */
export interface Tracing {
  /** Starts the span of an exchange, as a child of the client's; its context is added to the request's headers. */
  exchange(request: TracedExchange): OpenSpan | undefined
  /** Runs a client call in a span, as a child of the caller's; `ask` is given the headers for the worker. */
  ask<T>(
    asked: ClientOperation,
    what: string,
    service: string,
    ask: (headers: readonly string[]) => Promise<T>,
  ): Promise<T>
  /** Starts the span of a turn, in the trace of the request's headers. */
  turn(turn: TracedTurn, request: Traced): OpenSpan | undefined
}

export interface OpenSpan {
  /** Runs a function in the context of the span. */
  run<T>(fn: () => T): T
  end(status: number, details: SpanEnd): void
}

/** Returns undefined if no provider is registered; then requests run no code of this file. */
export function tracing(): Tracing | undefined {
  if (!(REGISTERED in globalThis)) return undefined
  const api = apiOf()
  if (!api) return undefined
  const { trace, ProxyTracerProvider } = api
  const provider = trace.getTracerProvider()
  const tracer = provider instanceof ProxyTracerProvider ? provider.getDelegateTracer(NAME) : provider.getTracer(NAME)
  return tracer && new TracingByApi(api, tracer)
}

/** Returns the app's copy of the API: 51 files. Undefined if only a package of the app can see it. */
function apiOf(): Api | undefined {
  try {
    return require('@opentelemetry/api') as Api
  } catch {
    return undefined
  }
}

/** Name, value, name, value …: the form in which headers travel. */
const getter = {
  keys: (headers: readonly string[]): string[] => headers.filter((_, i) => i % 2 === 0),
  get(headers: readonly string[], key: string): string | undefined {
    for (let i = 0; i < headers.length; i += 2) if (headers[i]!.toLowerCase() === key) return headers[i + 1]
    return undefined
  },
}

const setter = {
  set(headers: string[], key: string, value: string): void {
    // A worker refuses a head with such a value; a trace without it is better than no answer.
    if (NOT_TEXT.test(key) || NOT_TEXT.test(value)) return
    for (let i = 0; i < headers.length; i += 2) {
      if (headers[i]!.toLowerCase() !== key) continue
      headers[i + 1] = value
      return
    }
    headers.push(key, value)
  },
}

class TracingByApi implements Tracing {
  readonly #api: Api
  readonly #tracer: Tracer
  /** The key by which @opentelemetry/core passes an HTTP span to instrumentations. */
  readonly #rpcMetadata: symbol

  constructor(api: Api, tracer: Tracer) {
    this.#api = api
    this.#tracer = tracer
    this.#rpcMetadata = api.createContextKey('OpenTelemetry SDK Context Key RPC_METADATA')
  }

  exchange(request: TracedExchange): OpenSpan | undefined {
    return unlessBroken(() => this.#exchange(request))
  }

  ask<T>(
    asked: ClientOperation,
    what: string,
    service: string,
    ask: (headers: readonly string[]) => Promise<T>,
  ): Promise<T> {
    const headers: string[] = []
    const span = unlessBroken(() => this.#ask(asked, what, service, headers))
    return span ? span.around(() => ask(headers)) : ask([])
  }

  turn(turn: TracedTurn, request: Traced): OpenSpan | undefined {
    return unlessBroken(() => this.#turn(turn, request))
  }

  #exchange(request: TracedExchange): OpenSpan {
    const { method, service, headers, route } = request
    const { context, propagation, SpanKind, trace } = this.#api
    const here = context.active()
    // An instrumented server has a span of its own, which has the client's context.
    const nested = trace.getSpan(here) !== undefined
    const parent = nested ? here : propagation.extract(here, headers, getter)
    const kind = nested ? SpanKind.INTERNAL : SpanKind.SERVER
    const attributes = {
      ...httpServer(request, request.client),
      'network.peer.address': request.peer,
      'takespace.service': service,
      ...(route ? { 'http.route': route } : {}),
    }
    const span = this.#tracer.startSpan(`${method} ${service}`, { kind, attributes }, parent)
    const within = trace.setSpan(parent, span)
    propagation.inject(within, headers, setter)
    return new SpanByApi(this.#api, span, within, { method })
  }

  #ask(asked: ClientOperation, what: string, service: string, headers: string[]): SpanByApi {
    const { context, propagation, SpanKind, trace } = this.#api
    const parent = context.active()
    const isAwaited = asked === 'call' || asked === 'fetch'
    const kind = isAwaited ? SpanKind.CLIENT : SpanKind.PRODUCER
    const attributes = isAwaited ? { 'takespace.service': service } : messaging('send', service)
    if (asked !== 'fetch') Object.assign(attributes, { 'takespace.task': what })
    if (asked === 'call') Object.assign(attributes, { 'rpc.system': NAME, 'rpc.service': service, 'rpc.method': what })
    const span = this.#tracer.startSpan(`${asked} ${what}`, { kind, attributes }, parent)
    const within = trace.setSpan(parent, span)
    propagation.inject(within, headers, setter)
    if (asked === 'schedule') headers.push(LINKED, '1')
    return new SpanByApi(this.#api, span, within)
  }

  /**
   * As in the conventions for messaging: the parent of a run is its sender, to which an enqueued task is linked too.
   */
  #turn({ id, service, attempt, client }: TracedTurn, request: Traced): OpenSpan {
    const { method, target, headers } = request
    const { propagation, ROOT_CONTEXT, SpanKind, trace } = this.#api
    const sender = propagation.extract(ROOT_CONTEXT, headers, getter)
    const isTask = method === TASK_METHOD
    const attributes = {
      'takespace.service': service,
      'takespace.request.id': id,
      'takespace.attempt': attempt,
      ...(isTask
        ? { ...messaging('process', service), 'messaging.message.id': id, 'takespace.task': target }
        : httpServer(request, client)),
    }
    const options: SpanOptions = { kind: SpanKind.CONSUMER, attributes }
    const from = isTask ? trace.getSpanContext(sender) : undefined
    const isLinked = headers.includes(LINKED)
    const parent = isLinked ? trace.deleteSpan(sender) : sender
    const name = isTask ? `process ${target}` : `${method} ${service}`
    const span = this.#tracer.startSpan(name, from ? { ...options, links: [{ context: from }] } : options, parent)
    const within = trace.setSpan(parent, span)
    if (isTask) return new SpanByApi(this.#api, span, within)
    // Instrumentations of frameworks tell the matched route there, as under an instrumented http server.
    const rpc: RpcMetadata = { type: 'http', span }
    return new SpanByApi(this.#api, span, within.setValue(this.#rpcMetadata, rpc), { method, rpc })
  }
}

/** The parts of a request that spans show. */
interface Traced {
  readonly method: string
  readonly target: string
  readonly headers: readonly string[]
}

interface TracedExchange extends Traced {
  readonly headers: string[]
  readonly service: string
  /** The path prefix of the service. */
  readonly route: string | undefined
  /** The address of the gateway's peer. */
  readonly peer: string
  readonly client: RequestClient
}

interface TracedTurn {
  readonly id: string
  readonly service: string
  readonly attempt: number
  readonly client: RequestClient
}

/** The value by which @opentelemetry/core passes an HTTP span to instrumentations. */
interface RpcMetadata {
  readonly type: 'http'
  readonly span: Span
  route?: string
}

/**
 * Attributes of the conventions for HTTP servers. The query is left out, as in logs: it may be private.
 */
function httpServer(
  { method, target }: Traced,
  { address, protocol, host }: RequestClient,
): Record<string, string | number> {
  return {
    ...methodOf(method),
    'url.path': target.split('?', 1)[0] as string,
    'url.scheme': protocol,
    'client.address': address,
    ...serverOf(host),
  }
}

/** The methods that the conventions know (RFC 9110, PATCH of RFC 5789). */
const METHODS = new Set(['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'TRACE'])

/** Clients choose the method: an unknown one would give a monitor a value of theirs for each. */
const methodOf = (method: string): Record<string, string> =>
  METHODS.has(method)
    ? { 'http.request.method': method }
    : { 'http.request.method': '_OTHER', 'http.request.method_original': method }

/** @param host name and port, as in the field Host; undefined if it was not sent */
function serverOf(host: string | undefined): Record<string, string | number> {
  const [, address, port] = /^(.*?)(?::(\d+))?$/.exec(host ?? '') ?? []
  if (!address) return {}
  return { 'server.address': address, ...(port ? { 'server.port': Number(port) } : {}) }
}

const messaging = (operation: 'send' | 'process', service: string): Record<string, string> => ({
  'messaging.system': NAME,
  'messaging.operation.type': operation,
  'messaging.operation.name': operation,
  'messaging.destination.name': service,
})

/** An error of the user's SDK, for example over a foreign header, costs a span, not the request. */
function unlessBroken<T>(fn: () => T): T | undefined {
  try {
    return fn()
  } catch {
    return undefined
  }
}

interface HttpSpan {
  readonly method: string
  readonly rpc?: RpcMetadata
}

interface SpanEnd {
  /** How a turn has ended. */
  readonly ending?: string | undefined
  /** The request id, if it was not known before. */
  readonly id?: string | undefined
  /** The route that the app has matched. */
  readonly route?: string | undefined
}

class SpanByApi implements OpenSpan {
  readonly #api: Api
  readonly #span: Span
  readonly #context: Context
  readonly #http: HttpSpan | undefined

  /** @param http undefined for the span of a task */
  constructor(api: Api, span: Span, within: Context, http?: HttpSpan) {
    this.#api = api
    this.#span = span
    this.#context = within
    this.#http = http
  }

  run<T>(fn: () => T): T {
    return this.#api.context.with(this.#context, fn)
  }

  end(status: number, { ending, id, route }: SpanEnd): void {
    unlessBroken(() => {
      if (this.#http) this.#span.setAttribute('http.response.status_code', status)
      if (ending) this.#span.setAttribute('takespace.ending', ending)
      if (id) this.#span.setAttribute('takespace.request.id', id)
      this.#route(this.#http?.rpc?.route ?? route)
      if (status >= 500) {
        if (this.#http) this.#span.setAttribute('error.type', String(status))
        this.#span.setStatus({ code: this.#api.SpanStatusCode.ERROR })
      }
      this.#span.end()
    })
  }

  #route(route: string | undefined): void {
    if (!this.#http || !route) return
    this.#span.setAttribute('http.route', route)
    this.#span.updateName(`${this.#http.method} ${route}`)
  }

  /** Runs a function in the span, which ends with it. */
  async around<T>(fn: () => Promise<T>): Promise<T> {
    try {
      return await this.run(fn)
    } catch (error) {
      unlessBroken(() => {
        const { message, code } = error as { message?: string; code?: unknown }
        if (typeof code === 'string') this.#span.setAttribute('error.type', code)
        this.#span.setStatus({ code: this.#api.SpanStatusCode.ERROR, ...(message ? { message } : {}) })
      })
      throw error
    } finally {
      unlessBroken(() => this.#span.end())
    }
  }
}

/** Spans around a gateway's exchange and a worker's turn, when the user brings an SDK. The only file that imports @opentelemetry/api. */
import {
  type Context,
  context,
  ProxyTracerProvider,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api'

const NAME = 'takespace'

/** undefined when no provider is registered; then nothing of this is run for a request. */
export function tracing(): Tracing | undefined {
  const provider = trace.getTracerProvider()
  const tracer = provider instanceof ProxyTracerProvider ? provider.getDelegateTracer(NAME) : provider.getTracer(NAME)
  return tracer && new Tracing(tracer)
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
    for (let i = 0; i < headers.length; i += 2) {
      if (headers[i]!.toLowerCase() !== key) continue
      headers[i + 1] = value
      return
    }
    headers.push(key, value)
  },
}

export class Tracing {
  readonly #tracer: Tracer

  constructor(tracer: Tracer) {
    this.#tracer = tracer
  }

  /** Around an exchange: the client's trace goes on in it, and its own goes with the request's headers to the worker. */
  exchange(service: string, method: string, headers: string[]): OpenSpan | undefined {
    return unlessBroken(() => this.#exchange(service, method, headers))
  }

  /** Around a turn: a part of the trace that the request's headers tell of. */
  turn(id: string, service: string, attempt: number, method: string, headers: readonly string[]): OpenSpan | undefined {
    return unlessBroken(() => this.#turn(id, service, attempt, method, headers))
  }

  #exchange(service: string, method: string, headers: string[]): OpenSpan {
    const here = context.active()
    // An instrumented server of the user's has a span open already; it knows the client's.
    const nested = trace.getSpan(here) !== undefined
    const parent = nested ? here : propagation.extract(here, headers, getter)
    const kind = nested ? SpanKind.INTERNAL : SpanKind.SERVER
    const attributes = { 'http.request.method': method, 'takespace.service': service }
    const span = this.#tracer.startSpan(`${method} ${service}`, { kind, attributes }, parent)
    const within = trace.setSpan(parent, span)
    propagation.inject(within, headers, setter)
    return new OpenSpan(span, within)
  }

  #turn(id: string, service: string, attempt: number, method: string, headers: readonly string[]): OpenSpan {
    const parent = propagation.extract(context.active(), headers, getter)
    const attributes = {
      'http.request.method': method,
      'takespace.service': service,
      'takespace.request.id': id,
      'takespace.attempt': attempt,
    }
    const span = this.#tracer.startSpan(`${method} ${service}`, { kind: SpanKind.CONSUMER, attributes }, parent)
    return new OpenSpan(span, trace.setSpan(parent, span))
  }
}

/** What the user's SDK throws, over a header that a client has made up for instance, costs a span, not the request. */
function unlessBroken<T>(fn: () => T): T | undefined {
  try {
    return fn()
  } catch {
    return undefined
  }
}

export class OpenSpan {
  readonly #span: Span
  readonly #context: Context

  constructor(span: Span, within: Context) {
    this.#span = span
    this.#context = within
  }

  /** What the function does and awaits is under the span. */
  run<T>(fn: () => T): T {
    return context.with(this.#context, fn)
  }

  end(status: number, ending = ''): void {
    unlessBroken(() => {
      this.#span.setAttribute('http.response.status_code', status)
      if (ending) this.#span.setAttribute('takespace.ending', ending)
      if (status >= 500) this.#span.setStatus({ code: SpanStatusCode.ERROR })
      this.#span.end()
    })
  }
}

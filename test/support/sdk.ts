/** As much of an OpenTelemetry SDK as tests of spans need. */
import { AsyncLocalStorage } from 'node:async_hooks'
import {
  type Attributes,
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  type SpanKind,
  type SpanOptions,
  trace,
} from '@opentelemetry/api'

/** A span that has ended. */
export interface Ended {
  readonly name: string
  readonly spanId: string
  readonly traceId: string
  readonly parentId: string | undefined
  readonly kind: SpanKind | undefined
  /** The spans that it is linked to. */
  readonly links: readonly string[]
  readonly attributes: Attributes
}

/** As little of an SDK as is needed: ids that count up, the traceparent header, contexts that follow awaits. */
export function bringSdk(): Ended[] {
  const ended: Ended[] = []
  let ids = 0
  const startSpan = (name: string, options: SpanOptions = {}, parent: Context = context.active()): Span => {
    const from = trace.getSpanContext(parent)
    const spanId = String(++ids).padStart(16, '0')
    const own: SpanContext = { traceId: from?.traceId ?? spanId.padStart(32, 'f'), spanId, traceFlags: 1 }
    const links = (options.links ?? []).map((link) => link.context.spanId)
    const { kind } = options
    const attributes = { ...options.attributes }
    let current = name
    const span = {
      spanContext: () => own,
      updateName(to: string) {
        current = to
      },
      setAttribute(key: string, value: string | number) {
        attributes[key] = value
      },
      setStatus: () => {},
      end: () => void ended.push({ name: current, ...own, parentId: from?.spanId, kind, links, attributes }),
    }
    return span as unknown as Span
  }
  trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan, startActiveSpan: () => undefined as never }) })
  propagation.setGlobalPropagator({
    fields: () => ['traceparent'],
    inject(within, carrier, setter) {
      const { traceId, spanId } = trace.getSpanContext(within) as SpanContext
      setter.set(carrier, 'traceparent', `00-${traceId}-${spanId}-01`)
    },
    extract(within, carrier, getter) {
      const [, traceId = '', spanId = ''] = String(getter.get(carrier, 'traceparent') ?? '').split('-')
      return traceId ? trace.setSpanContext(within, { traceId, spanId, traceFlags: 1, isRemote: true }) : within
    },
  })
  const store = new AsyncLocalStorage<Context>()
  const manager = {
    active: () => store.getStore() ?? ROOT_CONTEXT,
    with: (within: Context, fn: (...args: never[]) => unknown, thisArg: unknown, ...args: never[]) =>
      store.run(within, () => fn.apply(thisArg, args)),
    bind: (_within: Context, target: unknown) => target,
    enable: () => manager,
    disable: () => manager,
  }
  context.setGlobalContextManager(manager as never)
  return ended
}

export function removeSdk(): void {
  trace.disable()
  propagation.disable()
  context.disable()
}

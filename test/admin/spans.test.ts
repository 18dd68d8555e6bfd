/** Spans go to the provider that the user brings, as one trace from client to handler; without a provider nothing is done. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { afterEach, expect, test } from '@jest/globals'
import {
  type Attributes,
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  trace,
} from '@opentelemetry/api'
import { createGateway } from '../../gateway/index.js'
import { tracing } from '../../src/admin/spans.js'
import { openSpace } from '../../src/open.js'
import { createWorker } from '../../workers/index.js'

afterEach(() => {
  trace.disable()
  propagation.disable()
  context.disable()
})

interface Ended {
  readonly name: string
  readonly spanId: string
  readonly traceId: string
  readonly parentId: string | undefined
  readonly attributes: Attributes
}

/** As little of an SDK as is needed: ids that count up, the traceparent header, contexts that follow awaits. */
function bringSdk(): Ended[] {
  const ended: Ended[] = []
  let ids = 0
  const startSpan = (name: string, options: { attributes?: Attributes } = {}, parent: Context = ROOT_CONTEXT): Span => {
    const from = trace.getSpanContext(parent)
    const spanId = String(++ids).padStart(16, '0')
    const own: SpanContext = { traceId: from?.traceId ?? 'f'.repeat(32), spanId, traceFlags: 1 }
    const attributes = { ...options.attributes }
    const span = {
      spanContext: () => own,
      setAttribute(key: string, value: string | number) {
        attributes[key] = value
      },
      setStatus: () => {},
      end: () => void ended.push({ name, ...own, parentId: from?.spanId, attributes }),
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

async function serve(seen: { header?: unknown; active?: string | undefined }): Promise<string> {
  await using space = await openSpace('memory:')
  const app = (req: { headers: Record<string, unknown> }, res: { statusCode: number; end(): void }) => {
    seen.header = req.headers.traceparent
    seen.active = trace.getSpanContext(context.active())?.spanId
    res.statusCode = 503
    res.end()
  }
  const gateway = createGateway({ space, port: 0 })
  await Promise.all([createWorker({ space, app: app as never }).start(), gateway.start()])
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
  const response = await fetch(gateway.url, { headers: { traceparent, connection: 'close' } })
  expect(response.status).toBe(503)
  return traceparent
}

test('one trace: client, exchange, turn, handler', async () => {
  const ended = bringSdk()
  const seen: { header?: unknown; active?: string } = {}
  await serve(seen)
  expect(ended).toHaveLength(2)
  const exchange = ended.find(({ parentId }) => parentId === 'b'.repeat(16))!
  const turn = ended.find(({ parentId }) => parentId === exchange.spanId)!
  expect(exchange).toMatchObject({ name: 'GET web', traceId: 'a'.repeat(32) })
  expect(exchange.attributes).toMatchObject({ 'http.request.method': 'GET', 'http.response.status_code': 503 })
  expect(turn.traceId).toBe('a'.repeat(32))
  expect(turn.attributes).toMatchObject({
    'takespace.service': 'web',
    'takespace.attempt': 1,
    'takespace.ending': 'answered',
    'http.response.status_code': 503,
  })
  expect(seen).toEqual({ header: `00-${'a'.repeat(32)}-${exchange.spanId}-01`, active: turn.spanId })
})

test('a provider that throws costs its spans and nothing else', async () => {
  const broken = (): never => {
    throw new Error('the SDK is broken')
  }
  trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan: broken, startActiveSpan: broken }) })
  const seen: { header?: unknown } = {}
  const sent = await serve(seen)
  expect(seen.header).toBe(sent)
})

test('without a provider there is no tracing, and traceparent reaches the app as it came', async () => {
  expect(tracing()).toBeUndefined()
  const seen: { header?: unknown } = {}
  const sent = await serve(seen)
  expect(seen.header).toBe(sent)
})

/** Spans go to the provider that the user brings, as one trace from client to handler; without a provider nothing is done. */
import { afterEach, expect, test } from '@jest/globals'
import { context, trace } from '@opentelemetry/api'
import express from 'express'
import { createGateway } from '../../gateway/index.js'
import { tracing } from '../../src/admin/spans.js'
import { openSpace } from '../../src/open.js'
import { createWorker } from '../../workers/index.js'
import { bringSdk, removeSdk } from '../support/sdk.js'

afterEach(removeSdk)

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
  expect(exchange.attributes).toMatchObject({
    'http.request.method': 'GET',
    'http.response.status_code': 503,
    'error.type': '503',
    'url.path': '/',
    'client.address': '127.0.0.1',
  })
  expect(exchange.attributes).not.toHaveProperty('http.route')
  expect(turn.attributes['takespace.request.id']).toBe(exchange.attributes['takespace.request.id'])
  expect(turn.traceId).toBe('a'.repeat(32))
  expect(turn.attributes).toMatchObject({
    'takespace.service': 'web',
    'takespace.attempt': 1,
    'takespace.ending': 'answered',
    'http.response.status_code': 503,
  })
  expect(seen).toEqual({ header: `00-${'a'.repeat(32)}-${exchange.spanId}-01`, active: turn.spanId })
})

test('exchange and turn have the attributes of the conventions, and the route that the framework has matched', async () => {
  const ended = bringSdk()
  await using space = await openSpace('memory:')
  const app = express()
  const items = express.Router()
  items.get('/:id', (_req, res) => void res.end())
  app.use('/api/items', items)
  // As the instrumentations of frameworks tell the route.
  app.use('/told', (_req, res) => {
    const rpc = context.active().getValue(Symbol.for('OpenTelemetry SDK Context Key RPC_METADATA')) as { route: string }
    rpc.route = '/told/:name'
    res.end()
  })
  const services = [{ service: 'web' }, { service: 'web', pathPrefix: '/api' }]
  const gateway = createGateway({ space, port: 0, services, trustProxy: 'loopback' })
  await Promise.all([createWorker({ space, app }).start(), gateway.start()])
  const headers = {
    connection: 'close',
    'x-request-id': 'one',
    'x-forwarded-for': '203.0.113.7',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'shop.example:8443',
  }
  for (const path of ['/api/items/7?secret=1', '/told/me']) await fetch(gateway.url + path, { headers })
  await space.close()
  const common = {
    'http.request.method': 'GET',
    'http.response.status_code': 200,
    'url.scheme': 'https',
    'client.address': '203.0.113.7',
    'server.address': 'shop.example',
    'takespace.request.id': 'one',
  }
  const [exchange, turn] = ['GET web', 'GET /api/items/:id'].map((name) => ended.find((span) => span.name === name)!)
  expect(exchange!.attributes).toMatchObject({ ...common, 'url.path': '/api/items/7', 'http.route': '/api' })
  expect(exchange!.attributes).toMatchObject({ 'network.peer.address': '127.0.0.1' })
  expect(turn!.attributes).toMatchObject({ ...common, 'url.path': '/api/items/7', 'http.route': '/api/items/:id' })
  expect(turn!.parentId).toBe(exchange!.spanId)
  const told = ended.find(({ name }) => name === 'GET /told/:name')!
  expect(told.attributes).toMatchObject({ ...common, 'url.path': '/told/me', 'http.route': '/told/:name' })
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

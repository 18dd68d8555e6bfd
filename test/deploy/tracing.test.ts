/** examples/deploy/observability/tracing.mjs under the command line: one trace from an HTTP request to the task that it enqueued. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { afterAll, beforeAll, expect } from '@jest/globals'
import { testInLongForm } from '../faults/long-form.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Process, startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { pathOf } from '../support/repository.js'
import { until } from '../support/until.js'

/** As much of OTLP as is looked at. */
interface Span {
  readonly name: string
  readonly kind: number
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly links?: readonly { readonly spanId: string }[]
}
interface Exported {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly { key: string; value: { stringValue: string } }[] }
    readonly scopeSpans: readonly { readonly spans: readonly Span[] }[]
  }[]
}

let redis: Redis
let collector: Server
const spans: (Span & { readonly of: string })[] = []
const ends: Process[] = []

beforeAll(async () => {
  redis = await startRedis()
  collector = createServer(async (req, res) => {
    const { resourceSpans } = (await json(req)) as Exported
    for (const { resource, scopeSpans } of resourceSpans) {
      const of = resource.attributes.find(({ key }) => key === 'service.name')!.value.stringValue
      for (const span of scopeSpans.flatMap((scope) => scope.spans)) spans.push({ ...span, of })
    }
    res.setHeader('Content-Type', 'application/json').end('{}')
  })
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve))
})
afterAll(async () => {
  collector.closeAllConnections()
  await new Promise((resolve) => collector.close(resolve))
  await redis.stop()
})

function start(name: string, ...args: string[]): Process {
  const env = {
    TAKESPACE_URL: redis.url,
    NODE_OPTIONS: `--import ${pathOf('examples/deploy/observability/tracing.mjs')}`,
    OTEL_SERVICE_NAME: name,
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
    // Spans are sent at the end alone: none may be lost then.
    OTEL_BSP_SCHEDULE_DELAY: '600000',
  }
  const process = startProcess(['takespace', ...args], { env })
  ends.push(process)
  return process
}

testInLongForm('gateway, worker and tasks export their spans to the last, as one trace', async () => {
  const gateway = start('edge', 'gateway', '--port', '0')
  const web = start('web', 'worker', pathOf('test/deploy/traced-shop.js'))
  const mail = start('mail', 'worker', pathOf('test/deploy/traced-mail.js'), '--service', 'mail')
  const [, url] = await gateway.line(/"url":"([^"]+)"/)
  for (const process of [web, mail]) await process.line(/worker process is ready/)
  const traceId = 'a'.repeat(32)
  const headers = { traceparent: `00-${traceId}-${'b'.repeat(16)}-01` }
  const answer = (await (await fetch(url!, { headers })).json()) as { ticket: string; checked: number }
  expect(answer.checked).toBe(3)
  await until(async () => {
    const look = startProcess(['takespace', 'ticket', answer.ticket, '--json'], { env: { TAKESPACE_URL: redis.url } })
    await look.exited
    return /"state":"completed"/.test(look.output())
  }, 'the task is done')
  for (const process of ends) process.kill('SIGTERM')
  for (const { exited } of ends) expect(await exited).toEqual({ code: 0, signal: null })

  const told = (of: string, name: string): Span => {
    const found = spans.filter((span) => span.of === of && span.name === name)
    expect([of, name, found.length]).toEqual([of, name, 1])
    return found[0]!
  }
  const exchange = told('edge', 'GET web')
  const turn = told('web', 'GET web')
  const sent = told('web', 'send send')
  const called = told('web', 'call check')
  const tree = {
    exchange,
    turn,
    sent,
    called,
    run: told('mail', 'process send'),
    checked: told('mail', 'process check'),
  }
  expect(tree).toMatchObject({
    exchange: { traceId, parentSpanId: 'b'.repeat(16) },
    turn: { traceId, parentSpanId: exchange.spanId },
    sent: { traceId, parentSpanId: turn.spanId },
    called: { traceId, parentSpanId: turn.spanId },
    run: { traceId, parentSpanId: sent.spanId, links: [{ spanId: sent.spanId }] },
    checked: { traceId, parentSpanId: called.spanId },
  })
})

failOnLeaks()

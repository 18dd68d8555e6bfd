/**
 * Starts the OpenTelemetry SDK in every process of takespace, before it and the app:
 *
 *     NODE_OPTIONS='--import ./tracing.mjs' OTEL_SERVICE_NAME=shop takespace worker ./app.js
 *
 * Run by test/deploy/tracing.test.ts: one trace, from an HTTP request to the task that it enqueued, arrives at a collector.
 * The packages: @opentelemetry/api, and those below. The exporter reads OTEL_EXPORTER_OTLP_ENDPOINT, by default
 * http://localhost:4318, and the provider OTEL_TRACES_SAMPLER.
 */
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node'

const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ 'service.name': process.env.OTEL_SERVICE_NAME ?? 'takespace' }),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
})
provider.register()

// A collector that is away costs spans, nothing else.
const ignore = () => {}
// A worker has this listener called after its drain, and ends when it is done.
process.on('SIGTERM', () => provider.forceFlush().catch(ignore))
process.once('beforeExit', () => provider.shutdown().catch(ignore))

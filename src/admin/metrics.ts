/** Measures as Prometheus reads them, beside those of the process. The only file that imports prom-client. */
import { collectDefaultMetrics, type Metric, Registry } from 'prom-client'
import type { Measure } from './measures.js'

/** One per process: it watches garbage collections and the event loop, and cannot be told to stop. */
let ofProcess: Registry | undefined

function processRegistry(): Registry {
  if (!ofProcess) {
    ofProcess = new Registry()
    collectDefaultMetrics({ register: ofProcess })
  }
  return ofProcess
}

export interface Metrics {
  readonly contentType: string
  text(): Promise<string>
}

export function metricsOf(measures: readonly Measure[]): Metrics {
  const own = new Registry()
  for (const measure of measures) own.registerMetric(metricOf(measure))
  const process = processRegistry()
  return {
    contentType: own.contentType,
    text: async () => `${await own.metrics()}\n${await process.metrics()}`,
  }
}

/** prom-client's own metrics hash their labels at each observation; ours are counted elsewhere, and only read here. */
function metricOf({ name, help, type, samples }: Measure): Metric {
  const metric = { name, get: async () => ({ name, help, type, aggregator: 'sum', values: await samples() }) }
  return metric as unknown as Metric
}

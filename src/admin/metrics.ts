/** Measures as Prometheus reads them, beside those of the process. The only file that imports prom-client. */
import { collectDefaultMetrics, type Metric, Registry } from 'prom-client'
import type { Measure, Sample } from './measures.js'

/** A measure as it is now: what goes from one process to another. */
export interface Family {
  readonly name: string
  readonly help: string
  readonly type: string
  readonly values: readonly Sample[]
}

/** One per process: it watches garbage collections and the event loop, and cannot be told to stop. */
let ofProcess: Registry | undefined

function processRegistry(): Registry {
  if (!ofProcess) {
    ofProcess = new Registry()
    collectDefaultMetrics({ register: ofProcess })
  }
  return ofProcess
}

/** These measures and those of the process, read now. */
export async function familiesOf(measures: readonly Measure[]): Promise<Family[]> {
  const own = measures.map(async ({ name, help, type, samples }) => ({ name, help, type, values: await samples() }))
  const families = [
    ...(await Promise.all(own)),
    ...((await processRegistry().getMetricsAsJSON()) as unknown as Family[]),
  ]
  // What has not been measured yet is no number, and JSON would make a null of it.
  return families.map((family) => ({ ...family, values: family.values.filter(({ value }) => Number.isFinite(value)) }))
}

/** Those of several processes: each family once, each sample labelled with the process that it is of. */
export function gathered(portions: readonly (readonly [process: string, families: readonly Family[]])[]): Family[] {
  const byName = new Map<string, Family & { values: Sample[] }>()
  for (const [process, families] of portions) {
    for (const { values, ...family } of families) {
      const all = byName.get(family.name) ?? { ...family, values: [] }
      byName.set(family.name, all)
      all.values.push(...values.map((sample) => ({ ...sample, labels: { ...sample.labels, process } })))
    }
  }
  return [...byName.values()]
}

export const CONTENT_TYPE: string = Registry.PROMETHEUS_CONTENT_TYPE

export function textOf(families: readonly Family[]): Promise<string> {
  const registry = new Registry()
  for (const family of families) registry.registerMetric(metricOf(family))
  return registry.metrics()
}

/** prom-client's own metrics hash their labels at each observation; ours are counted elsewhere, and only written here. */
function metricOf(family: Family): Metric {
  return { name: family.name, get: async () => family } as unknown as Metric
}

/** Metrics in the format of Prometheus, with those of the process. The only file that imports prom-client. */
import { AggregatorRegistry, collectDefaultMetrics, type Metric, Registry } from 'prom-client'
import type { Measure, Sample } from './measures.js'

/** The current value of a measure, as it is sent between processes. */
export interface Family {
  readonly name: string
  readonly help: string
  readonly type: string
  readonly values: readonly Sample[]
}

/** A metric of the app, and how those of several processes become one: `sum`, `max` and so on. */
export interface AppFamily extends Family {
  readonly aggregator: string
}

/** The metrics that a process reports to its supervisor. */
export interface ProcessMetrics {
  readonly families: readonly Family[]
  readonly ofApp: readonly AppFamily[]
}

/** One per process: it observes garbage collections and the event loop, and cannot be stopped. */
let ofProcess: Registry | undefined

function processRegistry(): Registry {
  if (!ofProcess) {
    ofProcess = new Registry()
    collectDefaultMetrics({ register: ofProcess })
  }
  return ofProcess
}

/** Returns these measures and those of the process, read now. */
export async function familiesOf(measures: readonly Measure[]): Promise<Family[]> {
  const own = measures.map(async ({ name, help, type, samples }) => ({ name, help, type, values: await samples() }))
  const families = [
    ...(await Promise.all(own)),
    ...((await processRegistry().getMetricsAsJSON()) as unknown as Family[]),
  ]
  // A value that was not measured yet is NaN, which JSON turns into null.
  return families.map((family) => ({ ...family, values: family.values.filter(({ value }) => Number.isFinite(value)) }))
}

/** Merges those of several processes: each family once, each sample with the label of its process. */
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

/** Returns the metrics of apps of several processes as one, but for those whose name is taken, as prom-client does in a cluster. */
export async function aggregated(
  portions: readonly (readonly AppFamily[])[],
  own: readonly Family[],
): Promise<Family[]> {
  const taken = new Set(own.map(({ name }) => name))
  const free = portions.map((families) => families.filter(({ name }) => !taken.has(name)))
  return (await AggregatorRegistry.aggregate(free as object[]).getMetricsAsJSON()) as unknown as Family[]
}

export const CONTENT_TYPE: string = Registry.PROMETHEUS_CONTENT_TYPE

export function textOf(families: readonly Family[]): Promise<string> {
  const registry = new Registry()
  for (const family of families) registry.registerMetric(metricOf(family))
  return registry.metrics()
}

/**
 * prom-client's own metrics hash their labels at each observation; these are counted elsewhere and only formatted here.
 */
function metricOf(family: Family): Metric {
  return { name: family.name, get: async () => family } as unknown as Metric
}

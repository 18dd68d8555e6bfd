/**
 * The metrics of an app: those in the default registry of each copy of prom-client that the app has loaded. takespace's own
 * copy is within its build, and loads nothing for this.
 */
import { createRequire } from 'node:module'
import type { Logger } from '../log.js'
import { valueWithin } from '../runtime/deadline.js'
import type { AppFamily } from './metrics.js'

/** The part of prom-client that is used; the app may have another version. */
interface AppRegistry {
  getMetricsAsJSON(): Promise<readonly AppFamily[]> | readonly AppFamily[]
}

/** Functions of the app (`collect`) that take longer leave its metrics out. */
const READ_WITHIN_MS = 1_000
/** Maximum number of samples of an app. An app that makes a label of what its clients send has no bound of its own. */
const MOST_SAMPLES = 20_000
/** As prom-client merges processes, and its default. */
const AGGREGATORS: readonly unknown[] = ['sum', 'first', 'omit', 'average', 'min', 'max']
const DEFAULT_AGGREGATOR = 'sum'

const MAIN_FILE = /[\\/]prom-client[\\/]index\.js$/
const { cache } = createRequire(import.meta.url)

const registries = (): AppRegistry[] =>
  Object.keys(cache)
    .filter((file) => MAIN_FILE.test(file))
    .flatMap((file) => (cache[file]?.exports as { register?: AppRegistry })?.register ?? [])

/** Returns a function that reads the metrics of the app now; [] without any. It logs once why they cannot be read. */
export function appMetrics(logger: Logger): () => Promise<AppFamily[]> {
  let hasFailed = false
  const refuse = (fields: object, why: string): AppFamily[] => {
    if (!hasFailed) logger.warn(fields, `the metrics of the app are left out: ${why}`)
    hasFailed = true
    return []
  }
  return async () => {
    try {
      const read = Promise.all(registries().map((registry) => registry.getMetricsAsJSON()))
      const all = (await valueWithin(READ_WITHIN_MS, read))?.flat()
      if (!all) return refuse({}, `reading them took longer than ${READ_WITHIN_MS} ms`)
      const samples = all.reduce((sum, { values }) => sum + values.length, 0)
      if (samples > MOST_SAMPLES) return refuse({ samples, most: MOST_SAMPLES }, 'they are too many')
      return all.map(plain)
    } catch (err) {
      return refuse({ err }, 'reading them failed')
    }
  }
}

const plain = ({ name, help, type, aggregator, values }: AppFamily): AppFamily => ({
  name,
  help,
  type,
  aggregator: AGGREGATORS.includes(aggregator) ? aggregator : DEFAULT_AGGREGATOR,
  values: values
    .filter(({ value }) => Number.isFinite(value))
    .map(({ labels, value, metricName }) => ({ labels, value, ...(metricName && { metricName }) })),
})

/** Names of metrics for rules and panels: one that the source does not define is an error. */
import { fileURLToPath } from 'node:url'
import { createJiti } from 'jiti'

/** The targets of takespace among those of a Prometheus: `job` is the name of its scrape configuration. */
export const SELECTOR = 'job="takespace"'

const source = fileURLToPath(new URL('../../../test/deploy/metric-names.ts', import.meta.url))
const { metricTypes } = await createJiti(import.meta.url).import(source)
const types = await metricTypes()
const SUFFIX = /_(bucket|sum|count)$/

/**
 * Returns the selector of a metric.
 *
 * @param {string} name without `takespace_`
 * @param {string} [labels] further conditions, as in PromQL
 * @throws Error if takespace has no such metric
 */
export function metric(name, labels) {
  const full = `takespace_${name}`
  const isPart = types.get(full.replace(SUFFIX, '')) === 'histogram'
  if (!types.has(full) && !isPart) throw new Error(`The source defines no metric ${full}.`)
  return `${full}{${[SELECTOR, labels].filter(Boolean).join(',')}}`
}

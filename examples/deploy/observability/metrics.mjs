/** Names of metrics for rules and panels: one that the source does not define is an error. */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The targets of takespace among those of a Prometheus: `job` is the name of its scrape configuration. */
export const SELECTOR = 'job="takespace"'

const pathOf = (path) => fileURLToPath(new URL(`../../../${path}`, import.meta.url))
const program = pathOf('.cache/programs/metric-names.js')
execFileSync(process.execPath, [pathOf('test/support/bundle.mjs'), pathOf('test/deploy/metric-names.ts'), program])
const { metricTypes } = await import(program)
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

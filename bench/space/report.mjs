/** From the samples of all runs to tables: medians with min–max, and ratios of runs that stood side by side. */

import { table } from '../answer/table.mjs'
import { median } from '../median.mjs'
import { COST_HEAD, costOf, costRow } from './bars.mjs'

const ROLES = ['client', 'gateway', 'redis', 'workers']

const groupBy = (items, keyOf) => {
  const groups = new Map()
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item])
  return [...groups.values()]
}

/** What one part found: a row per contender and group, and our ratio to the better baseline of each group. */
export function summarise(part, samples) {
  const rows = groupBy(samples, ({ group, contender }) => `${group} ${contender}`).map(summaryOf)
  const groups = [...new Set(rows.map(({ group }) => group))]
  const ratios = part.baselines.length === 0 ? [] : groups.map((group) => ratioOf(part, rows, samples, group))
  const costs = (part.costs ?? []).map((cost) => costOf(samples, cost))
  // A sample may tell more than how quick it was: how much memory, how many calls.
  const facts = samples.flatMap((sample) => sample.facts ?? [])
  return { name: part.name, title: part.title, rows, ratios, costs, facts, elsewhere: part.elsewhere ?? [], samples }
}

const sumOf = (values) => values.reduce((sum, value) => sum + value, 0)

/** Of processor time for each operation, all processes together: steadier than a rate on a machine that others use too. */
const microseconds = ({ cores, perSecond }) => (1e6 * sumOf(Object.values(cores))) / perSecond

function summaryOf(samples) {
  const { group, contender } = samples[0]
  const errors = sumOf(samples.map((sample) => sample.errors))
  const { firstError } = samples.find((sample) => sample.errors > 0) ?? {}
  const all = samples.map(({ perSecond }) => perSecond)
  const middle = (pick) => median(samples.map(pick))
  return {
    group,
    contender,
    perSecond: median(all),
    min: Math.min(...all),
    max: Math.max(...all),
    p50: middle(({ p50 }) => p50),
    p99: middle(({ p99 }) => p99),
    microseconds: middle(microseconds),
    cores: Object.fromEntries(ROLES.map((role) => [role, middle(({ cores }) => cores[role] ?? Number.NaN)])),
    errors,
    firstError,
  }
}

function ratioOf(part, rows, samples, group) {
  const better = rows
    .filter((row) => row.group === group && part.baselines.includes(row.contender) && row.errors === 0)
    .sort((a, b) => b.perSecond - a.perSecond)[0]?.contender
  const of = (contender) => samples.filter((sample) => sample.group === group && sample.contender === contender)
  const theirs = of(better)
  const pairs = of('takespace')
    .filter(({ errors }) => errors === 0)
    .flatMap((our) => theirs.filter(({ run }) => run === our.run).map((their) => [our, their]))
  const ratios = pairs.map(([our, their]) => our.perSecond / their.perSecond)
  const thrift = pairs.map(([our, their]) => microseconds(their) / microseconds(our))
  return { group, baseline: better, ratios, median: median(ratios), thrift: median(thrift) }
}

const whole = (value) => Math.round(value).toLocaleString('en')
const fixed = (digits) => (value) => (Number.isFinite(value) ? value.toFixed(digits) : '–')

/** Markdown, so that what a terminal shows can be pasted into RESULTS.md. */
export function render({ title, rows, ratios, costs, facts, elsewhere }) {
  const roles = ROLES.filter((role) => rows.some(({ cores }) => Number.isFinite(cores[role])))
  const head = [
    '',
    '',
    'per second',
    'min–max',
    'p50 ms',
    'p99 ms',
    ...roles.map((role) => `${role}, cores`),
    'CPU µs each',
    'errors',
  ]
  const body = rows.map((row) => [
    row.group,
    row.contender,
    row.errors > 0 ? `invalid (${whole(row.perSecond)})` : whole(row.perSecond),
    `${whole(row.min)}–${whole(row.max)}`,
    fixed(2)(row.p50),
    fixed(2)(row.p99),
    ...roles.map((role) => fixed(2)(row.cores[role])),
    fixed(0)(row.microseconds),
    String(row.errors),
  ])
  const failures = rows.filter(({ errors }) => errors > 0)
  const parts = [`## ${title}`, table(head, body)]
  if (ratios.length > 0) parts.push(table(RATIO_HEAD, ratios.map(ratioRow)))
  if (costs.length > 0) parts.push(table(COST_HEAD, costs.map(costRow)))
  if (facts.length > 0) parts.push(table(['', 'what', 'figure', 'bar'], facts))
  if (elsewhere.length > 0) parts.push(table(ELSEWHERE_HEAD, elsewhere))
  if (failures.length > 0) {
    parts.push(failures.map((row) => `INVALID: ${row.contender}, ${row.group}: ${row.firstError}`).join('\n'))
  }
  return `${parts.join('\n\n')}\n`
}

/** Not by this benchmark, and on another day: a size to compare with, no ratio. */
const ELSEWHERE_HEAD = ['', 'Apache River 3.0.1, measured elsewhere', 'per second', 'p50 ms', 'p99 ms']

const RATIO_HEAD = ['', 'takespace ÷', 'runs side by side', 'median', 'by CPU µs each']

const ratioRow = ({ group, baseline, ratios, median, thrift }) => [
  group,
  baseline ?? 'none was valid',
  ratios.map(fixed(2)).join('  ') || '–',
  ratios.length === 0 ? 'invalid' : fixed(2)(median),
  fixed(2)(thrift),
]

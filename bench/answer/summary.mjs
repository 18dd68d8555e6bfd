/** From samples to what a result states: medians with their spread, and ratios of two contenders within one run. */
import { median } from '../median.mjs'

const groupBy = (items, keyOf) => {
  const groups = new Map()
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item])
  return [...groups.values()]
}

const known = (values) => values.filter((value) => Number.isFinite(value))

function spreadOf(values) {
  const all = known(values)
  return all.length === 0 ? undefined : { median: median(all), min: Math.min(...all), max: Math.max(...all) }
}

/** Returns `{ rows, ratios, foreign }` of the samples; an invalid sample counts in no median. */
export function summarise({ columns, groups = [], ratios = [] }, samples) {
  const rows = groupBy(samples, ({ group, contender }) => `${group}\n${contender}`).map((all) => rowOf(columns, all))
  const order = [...new Set([...groups, ...rows.map(({ group }) => group)])]
  return {
    rows: rows.sort((a, b) => order.indexOf(a.group) - order.indexOf(b.group)),
    ratios: ratios.map((ratio) => ({ ...ratio, ...ratioOf(samples, ratio) })).filter(({ runs }) => runs.length > 0),
    foreign: spreadOf(samples.map(({ foreign }) => foreign)),
  }
}

function rowOf(columns, samples) {
  const valid = samples.filter(({ errors = 0 }) => errors === 0)
  const { group, contender } = samples[0]
  const figures = columns.map(({ key }) => [key, spreadOf(valid.map(({ values }) => values[key]))])
  return {
    group,
    contender,
    runs: valid.length,
    ...Object.fromEntries(figures.filter(([, figure]) => figure)),
    foreign: spreadOf(valid.map(({ foreign }) => foreign))?.median,
    errors: samples.reduce((sum, { errors = 0 }) => sum + errors, 0),
    firstError: samples.find(({ errors }) => errors > 0)?.firstError,
  }
}

function ratioOf(samples, { group, of, against, key, againstGroup = group }) {
  const valid = samples.filter(({ errors = 0 }) => errors === 0)
  const find = (where, contender, run) =>
    valid.find((sample) => sample.group === where && sample.contender === contender && sample.run === run)
  const runs = valid
    .filter((sample) => sample.group === group && sample.contender === of)
    .map((ours) => ours.values[key] / (find(againstGroup, against, ours.run)?.values[key] ?? Number.NaN))
  return { runs: known(runs), ...spreadOf(runs) }
}

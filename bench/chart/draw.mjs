/** The chart of an answer: its rows, grouped into panels, drawn as the question says. */
import { bars } from './bars.mjs'
import { dots } from './dots.mjs'
import { sheet } from './svg.mjs'

const kindOf = (contender) =>
  /^the limit|^ideal/.test(contender) ? 'bound' : /^takespace/.test(contender) ? 'ours' : 'other'

/** Returns the SVG. */
export function draw({ title, chart, columns }, answer) {
  const { keys = [chart.key], unit } = chart
  const digits = columns.find(({ key }) => key === keys.at(-1))?.digits ?? 0
  const shown = answer.rows.filter((row) =>
    keys.every((key) => row[key]?.median > 0 || (chart.kind === 'bars' && row[key])),
  )
  const groups = [...new Set(shown.map(({ group }) => group))].filter((group) => chart.groups?.(group) ?? true)
  const panels = groups.map((group) => ({
    title: group,
    rows: shown.filter((row) => row.group === group).map((row) => rowOf(row, keys, digits, chart)),
  }))
  if (chart.sorted !== false) for (const { rows } of panels) rows.sort((a, b) => b.median - a.median)
  const { machine, date } = answer.conditions
  const load = answer.foreign ? `, foreign load ${answer.foreign.median.toFixed(2)} cores` : ''
  const lines = [
    `${unit}; ${answer.runs > 1 ? `medians of ${answer.runs} runs` : 'one run'}${chart.kind === 'bars' ? ', whiskers from the least to the most' : ''}`,
    `${machine.cores} × ${machine.cpu}, Node.js ${answer.conditions.versions['Node.js']}, ${date.slice(0, 10)}${load}`,
  ]
  return sheet(title, lines, (top) => (chart.kind === 'dots' ? dots : bars)(panels, top))
}

function rowOf(row, keys, digits, { note, label }) {
  const { median, min, max } = row[keys.at(-1)]
  const values = keys.map((key) => row[key].median)
  const name = label?.(row) ?? row.contender
  return { label: name, kind: kindOf(row.contender), values, median, min, max, digits, note: note?.(row) }
}

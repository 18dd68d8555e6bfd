/** The chart of an answer: its rows, grouped into panels, drawn as the question says. */
import { bars } from './bars.mjs'
import { dots } from './dots.mjs'
import { sheet } from './svg.mjs'

/** How a contender is drawn: ours, another one, or a bound that nobody can pass. */
function kindOf(contender, isOurs) {
  if (/^the limit|^node -e 0/.test(contender)) return 'bound'
  return isOurs || /^takespace/.test(contender) ? 'ours' : 'other'
}

/**
 * Returns the SVG. `question.chart`: `kind` bars or dots; `key`, or `keyOf(group)`, or `keys` of dots; `unit`; `sorted: false` keeps the
 * order of the rows, `ascending` puts the least first; `isOurs` if all rows are takespace's; `note(row)` is written behind a bar.
 */
export function draw({ title, chart, columns }, answer) {
  const keysOf = (group) => chart.keys ?? [chart.keyOf?.(group) ?? chart.key]
  const isShown = (row) => keysOf(row.group).every((key) => row[key] && (chart.kind === 'bars' || row[key].median > 0))
  const rows = answer.rows.filter(isShown)
  const panels = [...new Set(rows.map(({ group }) => group))].map((group) => {
    const keys = keysOf(group)
    const digits = columns.find(({ key }) => key === keys.at(-1)).digits
    const own = rows.filter((row) => row.group === group).map((row) => drawnRow(row, keys, digits, chart))
    const order = chart.ascending ? 1 : -1
    return { title: group, rows: chart.sorted === false ? own : own.sort((a, b) => order * (a.median - b.median)) }
  })
  return sheet(title, linesOf(chart, answer), (top) => (chart.kind === 'dots' ? dots : bars)(panels, top))
}

function drawnRow(row, keys, digits, { note, isOurs }) {
  const { median, min, max } = row[keys.at(-1)]
  const values = keys.map((key) => row[key].median)
  const kind = kindOf(row.contender, isOurs)
  return { label: row.contender, kind, values, median, min, max, digits, note: note?.(row) }
}

function linesOf({ kind, unit }, { runs, conditions: { machine, versions, date }, foreign }) {
  const load = foreign ? `, foreign load ${foreign.median.toFixed(2)} cores` : ''
  const spread = kind === 'bars' && runs > 1 ? ', whiskers from the least to the most' : ''
  return [
    `${unit}; ${runs > 1 ? `medians of ${runs} runs` : 'one run'}${spread}`,
    `${machine.cores} × ${machine.cpu}, Node.js ${versions['Node.js']}, ${date.slice(0, 10)}${load}`,
  ]
}

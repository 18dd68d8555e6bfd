/** The section of one answer in bench/RESULTS.md: what was asked, how, the chart, the figures, the ratios, what was left out. */
import { conditionsLine } from '../machine/conditions.mjs'
import { figure, table } from './table.mjs'

const WIDTH = 118

/** Returns the words in lines of at most this many characters. */
function wrapped(text) {
  const lines = ['']
  for (const word of text.split(/\s+/)) {
    const longer = `${lines.at(-1)} ${word}`.trim()
    if (longer.length <= WIDTH) lines[lines.length - 1] = longer
    else lines.push(word)
  }
  return lines.join('\n')
}

const promises = (question) =>
  question.abouts
    ? table(
        ['contender', 'what becomes of a request', 'settings'],
        question.abouts.map(({ name, promise, settings }) => [name, promise, settings]),
        3,
      )
    : ''

function figures({ columns }, { rows }) {
  const head = columns.flatMap(({ title, spread }) => (spread ? [title, 'min–max'] : [title]))
  const body = rows.map((row) => {
    const cells = columns.flatMap(({ key, digits, spread }) => {
      const { median, min, max } = row[key] ?? {}
      const middle = figure(median, digits)
      return spread ? [middle, row[key] ? `${figure(min, digits)}–${figure(max, digits)}` : '–'] : [middle]
    })
    const state = row.errors > 0 ? `${row.runs} valid, ${row.errors} errors` : String(row.runs)
    return [row.group, row.contender, ...cells, state, figure(row.foreign, 2)]
  })
  return table(['', '', ...head, 'runs', 'foreign load'], body)
}

const ratioRow = ({ group, againstGroup = group, of, against, key, titleOf, median, min, max, runs, target = '–' }) => [
  group,
  of === against ? `${of} ÷ ${againstGroup}` : `${of} ÷ ${against}`,
  titleOf(key),
  figure(median, 2),
  runs.length > 1 ? `${figure(min, 2)}–${figure(max, 2)}` : '–',
  target,
]

/** Returns the Markdown of one answer, as bench/results has it, without its heading. */
export function section(question, answer, chartPath) {
  const titleOf = (wanted) => question.columns.find(({ key }) => key === wanted)?.title ?? wanted
  const failures = answer.rows.filter(({ errors }) => errors > 0)
  const { median = Number.NaN, max = Number.NaN } = answer.foreign ?? {}
  const load = `Foreign load: ${figure(median, 2)} cores (median), ${figure(max, 2)} at most.`
  const parts = [
    wrapped(question.how),
    promises(question),
    chartPath ? `![${question.title}](${chartPath})` : '',
    figures(question, answer),
    answer.ratios.length > 0
      ? table(
          ['', 'ratio within one run', 'of', 'median', 'min–max', 'target'],
          answer.ratios.map((ratio) => ratioRow({ ...ratio, titleOf })),
          3,
        )
      : '',
    [
      ...answer.leftOut.map(([name, why]) => `- Left out: ${name} (${why})`),
      ...failures.map(
        ({ contender, group, firstError }) => `- Invalid: ${contender}, ${group}: ${String(firstError).split('\n')[0]}`,
      ),
    ].join('\n'),
    wrapped(
      `${answer.runs} ${answer.runs === 1 ? 'run' : 'runs'} of ${answer.seconds} s. ${load} ${conditionsLine(answer.conditions)}`,
    ),
  ]
  return parts.filter(Boolean).join('\n\n')
}

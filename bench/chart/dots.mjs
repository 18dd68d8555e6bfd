/** Panels of rows with several dots each, on one logarithmic scale for all panels: percentiles of a latency. */
import { figure } from '../answer/table.mjs'
import { dot, line, MARGIN, text, WIDTH } from './svg.mjs'

const LABELS = 290
const VALUES = 190
const ROW = 21
/** Radius and look of the dots, from the first percentile to the last. */
const DOTS = [
  [3, ''],
  [5, ''],
  [4, 'hollow'],
]

/** @param panels `[{ title, rows: [{ label, kind, values: [numbers, ascending], digits }] }]`; values are above zero */
export function dots(panels, top) {
  const all = panels.flatMap(({ rows }) => rows.flatMap(({ values }) => values))
  const from = Math.floor(Math.log10(Math.min(...all)))
  const to = Math.ceil(Math.log10(Math.max(...all)))
  const left = MARGIN + LABELS
  const placeOf = (value) => left + ((Math.log10(value) - from) / (to - from)) * (WIDTH - 2 * MARGIN - LABELS - VALUES)
  const decades = Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i))
  const shapes = []
  let y = top
  for (const { title, rows } of panels) {
    shapes.push(text(MARGIN, y + 14, title, { kind: 'panel' }))
    for (const decade of decades) {
      shapes.push(text(placeOf(decade), y + 14, figure(decade, Math.max(0, -Math.log10(decade))), { anchor: 'middle' }))
      shapes.push(line(placeOf(decade), y + 20, placeOf(decade), y + 22 + rows.length * ROW, 'grid'))
    }
    y += 22
    for (const { label, kind, values, digits } of rows) {
      const middle = y + ROW / 2
      const emphasis = kind === 'ours' ? 'ours-text' : ''
      shapes.push(text(left - 8, middle + 4, label, { anchor: 'end', kind: emphasis }))
      shapes.push(line(placeOf(values[0]), middle, placeOf(values.at(-1)), middle, 'link'))
      for (const [i, value] of values.entries()) {
        const [radius, look] = DOTS[values.length === 1 ? 1 : Math.min(i, DOTS.length - 1)]
        shapes.push(dot(placeOf(value), middle, radius, `${look} ${kind}`.trim()))
      }
      const words = values.map((value) => figure(value, digits)).join(' · ')
      shapes.push(text(WIDTH - MARGIN, middle + 4, words, { anchor: 'end', kind: emphasis }))
      y += ROW
    }
    y += 12
  }
  return { shapes, end: y - 12 }
}

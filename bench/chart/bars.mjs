/** Panels of horizontal bars, one panel per group, each with a scale of its own that begins at zero; whiskers are min–max. */
import { figure } from '../answer/table.mjs'
import { line, MARGIN, rect, text, WIDTH } from './svg.mjs'

const LABELS = 300
/** Room for a figure, and for a figure with a note. */
const VALUES = { plain: 120, noted: 330 }
const ROW = 21
const BAR = 13

/** @param panels `[{ title, rows: [{ label, kind: 'ours' | 'other' | 'bound', median, min, max, digits, note }] }]` */
export function bars(panels, top) {
  const shapes = []
  const isNoted = panels.some(({ rows }) => rows.some(({ note }) => note))
  const room = WIDTH - 2 * MARGIN - LABELS - VALUES[isNoted ? 'noted' : 'plain']
  let y = top
  for (const { title, rows } of panels) {
    shapes.push(text(MARGIN, y + 14, title, { kind: 'panel' }))
    y += 22
    const most = Math.max(...rows.map(({ max }) => max), Number.MIN_VALUE)
    const widthOf = (value) => (value / most) * room
    const x = MARGIN + LABELS
    for (const { label, kind, median, min, max, digits, note } of rows) {
      const middle = y + ROW / 2
      const emphasis = kind === 'ours' ? 'ours-text' : ''
      shapes.push(text(x - 8, middle + 4, label, { anchor: 'end', kind: emphasis }))
      shapes.push(rect(x, middle - BAR / 2, Math.max(1, widthOf(median)), BAR, kind))
      if (max > min) shapes.push(line(x + widthOf(min), middle, x + widthOf(max), middle, 'whisker'))
      const value = `${figure(median, digits)}${note ? `  ${note}` : ''}`
      shapes.push(text(x + widthOf(Math.max(max, median)) + 6, middle + 4, value, { kind: emphasis }))
      y += ROW
    }
    y += 10
  }
  return { shapes, end: y - 10 }
}

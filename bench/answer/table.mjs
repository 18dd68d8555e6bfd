/** Tables of Markdown, aligned as the formatter of the project aligns them. */

/** @param names number of columns that hold words and stand to the left; the others are figures */
export function table(head, body, names = 2) {
  const widths = head.map((_, i) => Math.max(3, ...[head, ...body].map((row) => row[i].length)))
  const line = (row) =>
    `| ${row.map((cell, i) => (i < names ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(' | ')} |`
  const rule = widths.map((width, i) => (i < names ? ` ${'-'.repeat(width)} ` : ` ${'-'.repeat(width - 1)}: `))
  return [line(head), `|${rule.join('|')}|`, ...body.map(line)].join('\n')
}

/** 12,345.6 for (12345.6, 1); a dash for no figure. */
export const figure = (value, digits) =>
  Number.isFinite(value)
    ? value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
    : '–'

/** Tables for terminals: columns as wide as their widest cell. */

const WIDEST = 40
const GAP = '  '

/** Returns the lines of a table. Control characters in a cell are shown as `?`: names come from other processes. */
export function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const cells = [head, ...rows].map((row) => row.map(cellOf))
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)))
  return cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join(GAP)
      .trimEnd(),
  )
}

/** Returns a text whose control characters are `?`. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: those are meant
export const printable = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?')

const cellOf = (text: string): string => {
  const plain = printable(text)
  return plain.length > WIDEST ? `${plain.slice(0, WIDEST - 1)}…` : plain
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const

/** Returns a duration in its largest whole unit, such as `3 h`. */
export function durationText(ms: number): string {
  if (ms > 0 && ms < 1) return '< 1 ms'
  const [unit, size] = UNITS.find(([, least]) => ms >= least) ?? ['ms', 1]
  return `${Math.floor(ms / size)} ${unit}`
}

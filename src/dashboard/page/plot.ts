/** The library that draws charts. The only file that imports uplot; it is loaded with the first chart. */
import uPlot from 'uplot'

export interface PlotLine {
  readonly label: string
  readonly color: string
  readonly values: readonly number[]
}

export interface PlotTerms {
  readonly width: number
  readonly height: number
  /** Of the axes and the grid. */
  readonly ink: string
  readonly grid: string
  /** s since 1970. */
  readonly at: readonly number[]
  readonly lines: readonly PlotLine[]
  textOf(value: number): string
  /** Of a time in s since 1970. */
  timeOf(at: number): string
}

/** Whole numbers between the lines of the grid. */
const STEPS = Array.from({ length: 10 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat()

/** Draws a chart into an element. Returns a function that removes it. */
export function draw(
  into: HTMLElement,
  { width, height, ink, grid, at, lines, textOf, timeOf }: PlotTerms,
): () => void {
  const axis = { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid }, font: '11px system-ui' }
  const plot = new uPlot(
    {
      width,
      height,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false } },
      scales: { y: { range: (_plot, _min, most) => [0, Math.max(most, 1) * 1.05] } },
      axes: [
        { ...axis, size: 30, space: 70, values: (_plot, times) => times.map(timeOf) },
        { ...axis, size: 56, incrs: STEPS, values: (_plot, values) => values.map(textOf) },
      ],
      series: [{}, ...lines.map(({ label, color }) => ({ label, stroke: color, width: 1.5, points: { show: false } }))],
    },
    [[...at], ...lines.map(({ values }) => [...values])],
    into,
  )
  return () => plot.destroy()
}

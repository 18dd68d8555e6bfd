/** A chart with its legend, and the same numbers as a table behind it. */
import type { HistoryPart } from '../history.js'
import { useEffect, useRef, useState } from './preact.js'
import { clockWords } from './words.js'

export interface ChartLine {
  readonly label: string
  /** The name of the series. */
  readonly series: string
  /** The number of its color in the style sheet. */
  readonly color: 1 | 2 | 3
}

interface Terms {
  readonly title: string
  readonly history: HistoryPart | undefined
  readonly lines: readonly ChartLine[]
  textOf(value: number): string
}

const HEIGHT = 136
/** Rows of the table behind it. */
const MOST_ROWS = 20

export function Chart({ title, history, lines, textOf }: Terms) {
  const box = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(0)
  useEffect(() => {
    const seen = new ResizeObserver(([entry]) => setWidth(Math.floor(entry!.contentRect.width)))
    seen.observe(box.current!)
    return () => seen.disconnect()
  }, [])
  useEffect(() => {
    if (!history || width === 0) return
    let remove: (() => void) | undefined
    let isOver = false
    const style = getComputedStyle(box.current!)
    const color = (name: string): string => style.getPropertyValue(name).trim()
    void import('./plot.js').then(({ draw }) => {
      if (isOver || !box.current) return
      remove = draw(box.current, {
        width,
        height: HEIGHT,
        ink: color('--ink-2'),
        grid: color('--line'),
        at: history.at.map((each) => each / 1_000),
        lines: lines.map(({ label, series, color: n }) => ({
          label,
          color: color(`--chart-${n}`),
          values: history.series[series] ?? [],
        })),
        textOf,
        timeOf: (at) => clockWords(at * 1_000),
      })
    })
    return () => {
      isOver = true
      remove?.()
    }
  }, [history, width, lines, textOf])
  const last = lines.map(({ series }) => history?.series[series]?.at(-1) ?? 0)
  return (
    <figure class="chart">
      <figcaption>
        <strong>{title}</strong>
        {lines.map(({ label, color }, i) => (
          <span key={label} class={`legend chart-${color}`}>
            {label} <b>{textOf(last[i]!)}</b>
          </span>
        ))}
      </figcaption>
      <div ref={box} class="plot" aria-hidden="true" />
      <details>
        <summary>As a table</summary>
        <table>
          <caption class="unseen">{title}</caption>
          <thead>
            <tr>
              <th scope="col">Time</th>
              {lines.map(({ label }) => (
                <th key={label} scope="col" class="number">
                  {label}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rowsOf(history, lines).map(([at, ...values]) => (
              <tr key={at}>
                <td>{clockWords(at!)}</td>
                {values.map((value, i) => (
                  <td key={lines[i]!.label} class="number">
                    {textOf(value)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </figure>
  )
}

/** The last rows, newest first. */
const rowsOf = (history: HistoryPart | undefined, lines: readonly ChartLine[]): number[][] =>
  (history?.at ?? [])
    .map((at, i) => [at, ...lines.map(({ series }) => history?.series[series]?.[i] ?? 0)])
    .slice(-MOST_ROWS)
    .reverse()

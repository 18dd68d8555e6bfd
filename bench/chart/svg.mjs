/** The sheet of a chart: an SVG with a background of its own, readable in light and dark, and the shapes that charts use. */

export const WIDTH = 860
export const MARGIN = 20

const STYLE = `text { font: 12px system-ui, 'DejaVu Sans', sans-serif; fill: #334155 }
.title { font-size: 16px; font-weight: 600; fill: #0f172a }
.panel { font-weight: 600; fill: #0f172a }
.ours-text { font-weight: 600; fill: #1d4ed8 }
.card { fill: #ffffff; stroke: #e2e8f0 }
.grid { stroke: #e2e8f0 }
.ours { fill: #2563eb }
.other { fill: #a3b1c4 }
.bound { fill: none; stroke: #64748b; stroke-dasharray: 3 3 }
.whisker { stroke: #0f172a; stroke-width: 1.2 }
.link { stroke: #cbd5e1; stroke-width: 2 }
.hollow { fill: #ffffff; stroke: #64748b; stroke-width: 2 }
.hollow.ours { stroke: #2563eb }
@media (prefers-color-scheme: dark) {
  text { fill: #cbd5e1 }
  .title, .panel { fill: #f8fafc }
  .ours-text { fill: #93c5fd }
  .card { fill: #0f172a; stroke: #334155 }
  .grid { stroke: #1e293b }
  .ours { fill: #60a5fa }
  .other { fill: #64748b }
  .bound { stroke: #94a3b8 }
  .whisker { stroke: #f8fafc }
  .link { stroke: #475569 }
  .hollow { fill: #0f172a; stroke: #94a3b8 }
  .hollow.ours { stroke: #60a5fa }
}`

const escaped = (text) => String(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
const round = (value) => Math.round(value * 10) / 10

export const text = (x, y, words, { anchor = 'start', kind = '' } = {}) =>
  `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}"${kind && ` class="${kind}"`}>${escaped(words)}</text>`

export const rect = (x, y, width, height, kind) =>
  `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" rx="2" class="${kind}"/>`

export const line = (x1, y1, x2, y2, kind) =>
  `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" class="${kind}"/>`

export const dot = (x, y, radius, kind) => `<circle cx="${round(x)}" cy="${round(y)}" r="${radius}" class="${kind}"/>`

/**
 * Returns the whole SVG.
 * @param lines words under the title
 * @param draw is given the y to begin at; returns `{ shapes, end }`
 * @param description what it shows in words, for those who cannot see it and have no table beside it
 */
export function sheet(title, lines, draw, description = '') {
  const head = [
    text(MARGIN, 34, title, { kind: 'title' }),
    ...lines.map((words, i) => text(MARGIN, 56 + 17 * i, words)),
  ]
  const { shapes, end } = draw(56 + 17 * lines.length + 8)
  const height = Math.ceil(end + MARGIN)
  const box = `<rect x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="8" class="card"/>`
  const open = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`
  const words = description ? [`<desc>${escaped(description)}</desc>`] : []
  const body = [`<title>${escaped(title)}</title>`, ...words, `<style>${STYLE}</style>`, box, ...head, ...shapes]
  return `${[open, ...body, '</svg>'].join('\n')}\n`
}

/** The picture of what faults cost in time, docs/faults.svg, from the tables of bench/FAULTS.md; `npm run tables` draws it. */
import { figure } from '../answer/table.mjs'
import { dots } from './dots.mjs'
import { sheet } from './svg.mjs'

const TITLE = 'How long a fault is felt'
const LINES = [
  'ms, on a logarithmic scale; of two dots the small one is the median or the first, the large one the most or the last.',
  'Real processes and a real Redis under load: bench/FAULTS.md, npm run test:faults.',
]

/** Each panel with its rows: a label, the row of the page, and the figures of that row, the lesser one first. */
const PANELS = [
  [
    'Until others have the work of a process',
    [
      ['killed under traffic', 'held by a killed process, found again (traffic), ms', ['median', 'most']],
      ['killed while all is idle', 'held by a killed process, found again (idle), ms', ['median', 'most']],
      ['killed in a transaction, which is undone', 'killed in a transaction, undone (traffic), ms', ['median', 'most']],
      ['frozen: until its lease has ended', 'held by a frozen process, found again, ms', ['after']],
    ],
  ],
  [
    'The longest wait of a client',
    [
      ['a worker stops for a deploy (POST)', 'SIGTERM, POST', ['longest ms']],
      ['a worker is killed (GET)', 'kill -9, GET', ['longest ms']],
      ['a gateway is killed, requests sent again', 'a gateway killed, 20 times', []],
      ['all connections to Redis are cut', 'all connections cut, 200 times', []],
      ['Redis is killed, and starts again', 'Redis killed with requests in it', []],
    ],
  ],
  [
    'Until Redis, once back, serves',
    [
      ['killed under load', 'Redis killed under load, 7 times', ['serving']],
      ['frozen for a minute: ready, serving', 'Redis frozen for 60 s', [', ready', 'serving']],
      ['a replica promoted: until takers have entries', 'takers served after a promotion, ms', ['median', 'most']],
      [
        'its pushes were lost: first, last answer',
        'all pushes dropped',
        ['first answered after, ms', 'all answered after, ms'],
      ],
    ],
  ],
]

/** The rows of all tables of the page, by their first cell. */
function rowsIn(page) {
  const rows = [...page.matchAll(/^\| ([^|]+?) +\|(.*)\|$/gm)].map(([, name, rest]) => [
    name,
    rest.split('|').map((cell) => cell.trim()),
  ])
  return new Map(rows)
}

const numberOf = (text) => Number(text.replaceAll(',', ''))

/** Returns the figures of a row: those that are named in its last cell, or its longest wait. */
function valuesOf(cells, names) {
  if (names.length === 0) return [numberOf(cells.at(-2))]
  return names.map((name) => {
    const from = cells.at(-1).indexOf(`${name} `)
    const [number] = /\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?/.exec(cells.at(-1).slice(from + name.length)) ?? []
    if (from < 0 || number === undefined) throw new Error(`bench/FAULTS.md has no figure ${name}`)
    return numberOf(number)
  })
}

/** Returns the SVG of a page. Faults that it does not have are left out. */
export function faultsPicture(page) {
  const rows = rowsIn(page)
  const panels = PANELS.map(([title, shown]) => ({
    title,
    rows: shown
      .filter(([, name]) => rows.has(name))
      .map(([label, name, names]) => ({ label, kind: 'ours', values: valuesOf(rows.get(name), names), digits: 0 })),
  })).filter((panel) => panel.rows.length > 0)
  const told = panels.map((panel) => {
    const each = panel.rows.map(
      ({ label, values }) => `${label} ${values.map((value) => figure(value, 0)).join(' and ')} ms`,
    )
    return `${panel.title}: ${each.join('; ')}.`
  })
  return sheet(TITLE, LINES, (top) => dots(panels, top), told.join(' '))
}

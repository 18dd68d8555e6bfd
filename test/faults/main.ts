/** test:faults: the fault tests in their long form and the simulation, and then what they measured, as tables in bench/FAULTS.md. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Row } from './table.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PAGE = join(ROOT, 'bench', 'FAULTS.md')
const ROWS = join(ROOT, '.cache', 'faults')
const FOLDERS = ['test/faults', 'test/simulation', 'test/whole/idle.test.ts', 'test/whole/support-']

interface Figures {
  readonly what: string
  readonly figures: Readonly<Record<string, number | string>>
}

/** As the other tables of docs stand: columns of one width, numbers to the right. */
function table(heads: readonly string[], right: readonly boolean[], lines: readonly (readonly string[])[]): string {
  const widths = heads.map((head, i) => Math.max(head.length, ...lines.map((line) => line[i]!.length)))
  const drawn = (line: readonly string[]): string =>
    `| ${line.map((cell, i) => (right[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!))).join(' | ')} |`
  const rule = widths.map((width, i) => (right[i] ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width)))
  return [drawn(heads), `| ${rule.join(' | ')} |`, ...lines.map(drawn)].join('\n')
}

/** What stands between `<!-- name -->` and `<!-- /name -->` is ours. */
function between(page: string, name: string, text: string): string {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const from = page.indexOf(begin)
  const to = page.indexOf(end)
  if (from < 0 || to < from) throw new Error(`bench/FAULTS.md has no place for ${name}`)
  return `${page.slice(0, from + begin.length)}\n\n${text}\n\n${page.slice(to)}`
}

const thousands = (n: number): string => n.toLocaleString('en-US')

function render(): void {
  const files = existsSync(ROWS) ? readdirSync(ROWS).sort() : []
  const read = <T>(kind: string): T[] =>
    files
      .filter((file) => file.endsWith(`${kind}.json`))
      .map((file) => JSON.parse(readFileSync(join(ROWS, file), 'utf8')))
  const rows = read<Row & { fault: string }>('row').map((row) => [
    row.fault,
    thousands(row.requests),
    thousands(row.failed),
    thousands(row.twice),
    thousands(row.longestMs),
    row.hits,
  ])
  const figures = read<Figures>('figures').map(({ what, figures: each }) => [
    what,
    Object.entries(each)
      .map(([name, figure]) => `${name} ${typeof figure === 'number' ? thousands(figure) : figure}`)
      .join(', '),
  ])
  if (rows.length === 0) return
  const heads = ['fault', 'requests', 'failed', 'executed twice', 'longest wait, ms', 'it hit']
  let page = readFileSync(PAGE, 'utf8')
  page = between(page, 'faults', table(heads, [false, true, true, true, true, false], rows))
  page = between(page, 'others', table(['what', 'figures'], [false, false], figures))
  writeFileSync(PAGE, page)
  console.log(`${rows.length + figures.length} rows in bench/FAULTS.md`)
}

const own = process.argv.slice(2)
// The rows of tests that do not run stay as they were measured last.
if (own.length === 0) rmSync(ROWS, { recursive: true, force: true })
const { status } = spawnSync(
  process.execPath,
  [
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js'),
    '--runInBand',
    ...(own.length > 0 ? own : FOLDERS),
  ],
  {
    cwd: ROOT,
    stdio: 'inherit',
    env: { FAULT_SECONDS: '20', SIMULATED_SEEDS: '1000', ...process.env, FAULT_ROWS: ROWS },
  },
)
// Of a run of some of the tests the page is not made anew, and neither is it of one that failed.
if (status === 0 && own.length === 0) render()
process.exit(status ?? 1)

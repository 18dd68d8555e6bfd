/** The table of what was compared, as Markdown. */
import type { Way } from './app.js'
import type { Found } from './records.js'

export interface Outcome {
  readonly name: string
  readonly processes: number
  readonly whyOne: string | undefined
  readonly versions: readonly string[]
  /** Recorded in each way; an Error if it failed there. */
  readonly ways: ReadonlyMap<Way, number | Error>
  readonly found: readonly Found[]
  /** Installing and building; then all three ways. */
  readonly seconds: readonly [number, number]
  /** The error of the install: nothing was run. */
  readonly failure: Error | undefined
}

export const isGood = ({ ways, found, failure }: Outcome): boolean =>
  !failure && [...ways.values()].every((way) => typeof way === 'number') && found.every(({ reason }) => reason)

export function table(outcomes: readonly Outcome[]): string[] {
  const head = ['app', 'processes', 'compared', 'direct', 'gateway', 'dev', 'differences', 'seconds']
  const rows = outcomes.map((outcome) => {
    const { name, processes, ways, found, failure, seconds } = outcome
    const direct = ways.get('direct')
    const of = (way: Way): string => {
      const had = ways.get(way)
      if (typeof had !== 'number') return had ? 'failed' : '-'
      const wrong = found.filter((each) => each.way === way && !each.reason).length
      const explained = found.filter((each) => each.way === way && each.reason).length
      if (wrong > 0) return `${wrong} differ`
      return explained > 0 ? `same but ${explained}` : way === 'direct' ? 'ok' : 'same'
    }
    const unexplained = found.filter(({ reason }) => !reason).length
    const said = failure ? 'not run' : unexplained > 0 ? `${unexplained} unexplained` : `${found.length} explained`
    return [
      name,
      String(processes),
      typeof direct === 'number' ? String(direct) : '-',
      of('direct'),
      of('gateway'),
      of('dev'),
      found.length === 0 && !failure ? 'none' : said,
      seconds.map((each) => each.toFixed(0)).join(' + '),
    ]
  })
  const all = [head, ...rows]
  const widths = head.map((_, i) => Math.max(...all.map((row) => row[i]!.length)))
  const line = (row: readonly string[]): string => `| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)]
}

const LONGEST = 600
const short = (text: string | undefined): string =>
  text === undefined
    ? 'absent'
    : text.length > LONGEST
      ? `${text.slice(0, LONGEST)}… (${text.length} characters)`
      : text

/** Returns what stands behind the table: versions, one line for each reason, and both texts of what nothing explains. */
export function details({ name, versions, whyOne, ways, found, failure }: Outcome): string[] {
  const lines = [`${name}: ${versions.join(', ')}`]
  if (whyOne) lines.push(`  one process: ${whyOne}`)
  if (failure) lines.push(`  not run: ${failure.message}`)
  for (const [way, had] of ways) if (had instanceof Error) lines.push(`  ${way} failed: ${had.stack}`)
  for (const reason of new Set(found.flatMap((each) => each.reason ?? []))) {
    const all = found.filter((each) => each.reason === reason)
    const where = [...new Set(all.map(({ at }) => at))]
    lines.push(`  explained (${[...new Set(all.map(({ way }) => way))].join(', ')}): ${where.join('; ')}: ${reason}`)
  }
  for (const { at, way, direct, here } of found.filter(({ reason }) => !reason)) {
    lines.push(`  unexplained: ${at}`, `    direct: ${short(direct)}`, `    ${way}: ${short(here)}`)
  }
  return lines
}

/** The two forms of the fault tests: short in every run, long when FAULT_SECONDS says for how many seconds a fault is to go on. */
import { others } from './table.js'

export const LONG_SECONDS = Number(process.env.FAULT_SECONDS ?? 0)

export const isLong = LONG_SECONDS > 0

/** The lease of a process in the space (docs/reliability.md): what is faster than this did not wait for it. */
export const LEASE_MS = 15_000

/** One figure for each form. A time is bounded by what is promised in the long form alone, which has the machine to itself. */
export const form = <T>(short: T, long: T): T => (isLong ? long : short)

/** What was measured, for the table and on the terminal past Jest's console; the short form keeps it to itself unless FAULT_FIGURES is set. */
export function report(what: string, figures: Readonly<Record<string, number | string>>): void {
  others(what, figures)
  show(what, figures)
}

/** On the terminal alone. */
export function show(what: string, figures: Readonly<Record<string, number | string>>): void {
  if (!isLong && !process.env.FAULT_FIGURES) return
  const list = Object.entries(figures).map(([name, figure]) => `${name} ${figure}`)
  process.stdout.write(`  ${what}: ${list.join(', ')}\n`)
}

/** The largest, the one in the middle, and how many. */
export function spread(list: readonly number[]): { median: number; most: number; count: number } {
  const sorted = [...list].sort((a, b) => a - b)
  const at = (i: number): number => Math.round((sorted[i] ?? 0) * 10) / 10
  return { median: at(Math.floor(sorted.length / 2)), most: at(sorted.length - 1), count: sorted.length }
}

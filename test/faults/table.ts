/** The table of docs/reliability.md: `npm run test:faults` names a folder by FAULT_ROWS, and each fault test puts its row into it. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Row {
  /** The requests, or the operations where there are none. */
  readonly requests: number
  /** Those that ended with an error, which its client was told. */
  readonly failed: number
  /** Executed more than once, which only those are that may be. */
  readonly twice: number
  readonly longestMs: number
  /** How the fault is known to have hit: so many of what. */
  readonly hits: string
}

/** @param fault the place in the table and what struck, such as `F19 CLIENT PAUSE ALL, 3 s` */
export function row(fault: string, figures: Row): void {
  const folder = process.env.FAULT_ROWS
  if (!folder) return
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `${fault.replaceAll(/\W+/g, '-')}.json`)
  writeFileSync(file, JSON.stringify({ fault, ...figures, longestMs: Math.round(figures.longestMs) }))
}

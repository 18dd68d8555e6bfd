/** What the fault tests measured, for the tables of bench/FAULTS.md: each puts it into the folder that FAULT_ROWS names, if it does. */
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

/** @param fault what struck, such as `CLIENT PAUSE ALL, 3 s` */
export const row = (fault: string, { longestMs, ...figures }: Row): void =>
  put('row', { fault, ...figures, longestMs: Math.round(longestMs) })

/** Figures that are of another kind. */
export const others = (what: string, figures: Readonly<Record<string, number | string>>): void =>
  put('figures', { what, figures })

let written = 0
function put(kind: string, content: object): void {
  const folder = process.env.FAULT_ROWS
  if (!folder) return
  mkdirSync(folder, { recursive: true })
  // In the order in which they came, also from several processes.
  const name = `${Date.now()}-${process.pid}-${written++}-${kind}.json`
  writeFileSync(join(folder, name), JSON.stringify(content))
}

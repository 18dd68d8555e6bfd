/** What a run with faults came to: each answer is that of an execution, and nothing ran twice that may not. */
import { expect } from '@jest/globals'
import type { Run } from '../support/app.js'
import type { Answer } from '../support/load.js'
import { show } from './form.js'
import { type Row, row } from './table.js'

export interface Verdict {
  readonly requests: number
  readonly failed: number
  readonly twice: number
  readonly longestMs: number
  /** `HTTP 200` and so on, with how many. */
  readonly statuses: Readonly<Record<string, number>>
}

/** A request whose path begins so is a GET, and may be run again; any other may not. */
const MAY_RUN_AGAIN = /^\/(get|waiting|now)\b/

/** @param forgets whether Redis may have forgotten what it had acknowledged: then a request whose start is forgotten may run again, too */
export function verdictOf(answers: readonly Answer[], runs: readonly Run[], { forgets = false } = {}): Verdict {
  const runsOf = new Map<string, Run[]>()
  for (const run of runs) runsOf.set(run.url, [...(runsOf.get(run.url) ?? []), run])
  // Answered once each, by a process that had run it to its end.
  expect(new Set(answers.map(({ url }) => url)).size).toBe(answers.length)
  const ok = answers.filter(({ status }) => status === 200)
  const isMadeUp = ({ url, text }: Answer): boolean =>
    !runsOf.get(url)?.some(({ pid, ended }) => ended !== undefined && text.startsWith(String(pid)))
  expect(ok.filter(isMadeUp)).toEqual([])
  const again = [...runsOf].filter(([, list]) => list.length > 1).map(([url]) => url)
  if (!forgets) expect(again.filter((url) => !MAY_RUN_AGAIN.test(url))).toEqual([])
  // What a client was told that it was not begun has not been run.
  const refused = answers.filter(({ status, url }) => status === 503 && !MAY_RUN_AGAIN.test(url))
  expect(refused.filter(({ url }) => runsOf.has(url))).toEqual([])
  const statuses: Record<string, number> = {}
  for (const { status } of answers) statuses[`HTTP ${status}`] = (statuses[`HTTP ${status}`] ?? 0) + 1
  return {
    requests: answers.length,
    failed: answers.length - ok.length,
    twice: again.length,
    longestMs: Math.max(0, ...answers.map(({ ms }) => ms)),
    statuses,
  }
}

/** Tells it on the terminal, and in the table. */
export function tell(fault: string, { statuses, ...figures }: Verdict, hits: Row['hits']): void {
  const { twice, longestMs } = figures
  show(fault, { ...statuses, 'executed twice': twice, 'longest ms': Math.round(longestMs), hits })
  row(fault, { ...figures, hits })
}

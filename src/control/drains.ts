/** Drains: which processes can be drained, and how much is left with those that take nothing new. */
import type { ProcessReport } from './kinds.js'

/** Gateways and workers take requests; nothing else can be drained. */
export const canDrain = ({ roles }: ProcessReport): boolean =>
  roles.some((role) => role === 'gateway' || role === 'worker')

/** Requests that are left with processes which were told to drain. */
export interface Left {
  /** Processes with which something is left; one that has ended has nothing. */
  readonly processes: readonly ProcessReport[]
  readonly requests: number
}

/** Returns what is left with the processes of these names. */
export function leftWith(reports: readonly ProcessReport[], names: ReadonlySet<string>): Left {
  const processes = reports.filter(({ process, state }) => names.has(process) && state !== 'drained')
  return { processes, requests: processes.reduce((sum, { held }) => sum + held, 0) }
}

/** Returns `nothing is left`, or how much is. */
export const leftWords = ({ processes, requests }: Left): string =>
  processes.length === 0 ? 'nothing is left' : `${requests} requests are left with ${processes.length} processes`

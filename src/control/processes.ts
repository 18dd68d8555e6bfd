/** Processes: those that take part in a space, as they tell of themselves, and those that an operator means. */
import type { Space } from '../space.js'
import { ProcessPresence, type ProcessReport } from './kinds.js'

const MOST_PROCESSES = 10_000

/** Returns the processes of a space, by host, role and age. */
export async function processesIn(space: Space): Promise<ProcessReport[]> {
  const newest = new Map<string, ProcessReport>()
  for await (const report of space.contents(ProcessPresence, { max: 2 * MOST_PROCESSES })) {
    const known = newest.get(report.process)
    if (!known || known.at < report.at) newest.set(report.process, report)
  }
  const text = ({ host, roles }: ProcessReport): string => `${host} ${roles}`
  return [...newest.values()].sort((a, b) => text(a).localeCompare(text(b)) || a.startedAt - b.startedAt)
}

/** A choice of processes: those that have all that is given. */
export interface Chosen {
  /** The beginning of a name, at least 4 characters. */
  readonly process?: string | undefined
  readonly host?: string | undefined
  readonly role?: string | undefined
  readonly service?: string | undefined
  readonly release?: string | undefined
}

const SHORTEST_NAME = 4

/** Returns the processes that are meant. */
export function chosenOf(processes: readonly ProcessReport[], chosen: Chosen): ProcessReport[] {
  const { process, host, role, service, release } = chosen
  return processes.filter(
    (each) =>
      (process === undefined || (process.length >= SHORTEST_NAME && each.process.startsWith(process))) &&
      (host === undefined || each.host === host) &&
      (role === undefined || (each.roles as readonly string[]).includes(role)) &&
      (service === undefined || each.services.includes(service)) &&
      (release === undefined || each.release === release),
  )
}

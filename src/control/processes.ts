/** Processes: those that take part in a space, as they tell of themselves, and those that an operator means. */
import type { Space } from '../space.js'
import { ProcessPresence, type ProcessReport } from './kinds.js'

const MOST_PROCESSES = 10_000

/** Returns the processes of a space, by host, role and age. */
export async function processesIn(space: Space): Promise<ProcessReport[]> {
  const newest = new Map<string, ProcessReport>()
  for await (const entry of space.contents(ProcessPresence, { max: 2 * MOST_PROCESSES })) {
    const report = reportFrom(entry)
    if (!report) continue
    const known = newest.get(report.process)
    if (!known || known.at < report.at) newest.set(report.process, report)
  }
  const text = ({ host, roles }: ProcessReport): string => `${host} ${roles}`
  return [...newest.values()].sort((a, b) => text(a).localeCompare(text(b)) || a.startedAt - b.startedAt)
}

/** Fields that a report may lack, each with its type. */
const LACKING = {
  ...{ host: '', pid: 0, roles: [], services: [], tasks: [], release: '', version: '', startedAt: 0, capacity: 0 },
  ...{ held: 0, oldestMs: 0, finished: 0, failed: 0, loopLagMs: 0, rssBytes: 0, state: 'running', running: [] },
  ...{ recentMs: 0 },
}

/** Returns the report of an entry, which any process may have written; undefined if it is malformed. */
export function reportFrom(fields: object): ProcessReport | undefined {
  const report: Record<string, unknown> = { ...LACKING, ...fields }
  if (typeof report.process !== 'string' || typeof report.at !== 'number') return undefined
  const isOfType = ([name, value]: [string, unknown]): boolean =>
    typeof report[name] === typeof value && Array.isArray(report[name]) === Array.isArray(value)
  if (!Object.entries(LACKING).every(isOfType)) return undefined
  const { served } = report
  if (served !== undefined && !(Array.isArray(served) && served.every(isPart))) return undefined
  return report as unknown as ProcessReport
}

function isPart(part: unknown): boolean {
  const { service, held, capacity, free, finished, failed, waited, ran } = Object(part) as Record<string, unknown>
  const areNumbers = (values: unknown): boolean =>
    Array.isArray(values) && values.every((value) => typeof value === 'number')
  return typeof service === 'string' && [[held, capacity, free, finished, failed], waited, ran].every(areNumbers)
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

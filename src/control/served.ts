/** The parts of services in processes, taken together: what waits, runs and fails in a second, of all processes. */
import { quantileOf } from '../runtime/counters.js'
import type { ProcessReport, ServedService } from './kinds.js'

/** The work of all processes for a service within the last seconds. */
export interface ServiceRates {
  /** Requests that workers finish in a second, and that gateways refuse with 5xx. */
  readonly perSecond: number
  /** Those of them that fail: too late, thrown, or answered with 5xx. */
  readonly failedPerSecond: number
  /** Their part, 0 to 1. */
  readonly errorShare: number
  /** 95 % of the requests that were taken had waited for less, in ms; 30 000 beyond that, 0 without requests. */
  readonly waitP95Ms: number
  /** The same of the time of the app. */
  readonly runP95Ms: number
}

/** A shorter time tells no rate. */
const LEAST_MS = 1_000
const P95 = 0.95

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0)

/** Returns the sums by place. */
const added = (lists: readonly (readonly number[])[]): number[] =>
  Array.from({ length: Math.max(0, ...lists.map(({ length }) => length)) }, (_, i) =>
    sum(lists.map((list) => list[i] ?? 0)),
  )

/** Returns one part for each service: those of the members of a process together. */
export function servedByAll(parts: readonly ServedService[]): ServedService[] {
  const names = [...new Set(parts.map(({ service }) => service))]
  return names.map((service) => {
    const own = parts.filter((each) => each.service === service)
    const total = (of: (each: ServedService) => number): number => sum(own.map(of))
    return {
      service,
      held: total(({ held }) => held),
      capacity: total(({ capacity }) => capacity),
      free: total(({ free }) => free),
      finished: total(({ finished }) => finished),
      failed: total(({ failed }) => failed),
      waited: added(own.map(({ waited }) => waited)),
      ran: added(own.map(({ ran }) => ran)),
    }
  })
}

/** Returns the part of a service in a process; one of an older release tells the sum of all of its services. */
export function partOf(
  { served, services, held, capacity }: ProcessReport,
  service: string,
): ServedService | undefined {
  if (served) return served.find((each) => each.service === service)
  if (!services.includes(service)) return undefined
  return { service, held, capacity, free: capacity - held, finished: 0, failed: 0, waited: [], ran: [] }
}

/** Returns the rates of a service. */
export function ratesOf(service: string, processes: readonly ProcessReport[]): ServiceRates {
  const parts = processes.flatMap((process) => {
    const part = partOf(process, service)
    return part ? [{ ...part, seconds: Math.max(process.recentMs ?? 0, LEAST_MS) / 1_000 }] : []
  })
  const perSecond = sum(parts.map(({ finished, seconds }) => finished / seconds))
  const failedPerSecond = sum(parts.map(({ failed, seconds }) => failed / seconds))
  return {
    perSecond: rounded(perSecond),
    failedPerSecond: rounded(failedPerSecond),
    errorShare: perSecond > 0 ? rounded(failedPerSecond / perSecond) : 0,
    waitP95Ms: rounded(quantileOf(added(parts.map(({ waited }) => waited)), P95)),
    runP95Ms: rounded(quantileOf(added(parts.map(({ ran }) => ran)), P95)),
  }
}

/** Numbers for people and for JSON. */
const rounded = (value: number): number => Math.round(value * 1_000) / 1_000

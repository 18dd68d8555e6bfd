/**
 * Counters of gateways and workers: plain numbers, so that a request pays a few additions and no object; /metrics reads
 * them.
 */

/** Upper bounds of the buckets, in ms. */
export const BOUNDS_MS: readonly number[] = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000]

/** A histogram of times, not cumulated. */
export class Histogram {
  /** One per bound, and one for longer times. */
  readonly counts: Float64Array = new Float64Array(BOUNDS_MS.length + 1)
  sumMs = 0

  observe(ms: number): void {
    let i = 0
    while (i < BOUNDS_MS.length && ms > BOUNDS_MS[i]!) i++
    this.counts[i]!++
    this.sumMs += ms
  }
}

/** Returns the sum of histograms. */
export function histogramOf(parts: Iterable<Histogram>): Histogram {
  const sum = new Histogram()
  for (const { counts, sumMs } of parts) {
    for (const [i, count] of counts.entries()) sum.counts[i]! += count
    sum.sumMs += sumMs
  }
  return sum
}

/**
 * Returns the time below which this part of the observations are, in ms: between the bounds of its bucket in proportion,
 * 30 000 beyond the last bound, 0 without observations.
 *
 * @param counts by BOUNDS_MS; those at the end may be left out
 */
export function quantileOf(counts: readonly number[], part: number): number {
  let left = counts.reduce((sum, count) => sum + count, 0) * part
  for (const [i, count] of counts.entries()) {
    const bound = BOUNDS_MS[i]
    if (bound === undefined) break
    if (count > 0 && left <= count) {
      const from = BOUNDS_MS[i - 1] ?? 0
      return from + ((bound - from) * left) / count
    }
    left -= count
  }
  return counts.some((count) => count > 0) ? BOUNDS_MS.at(-1)! : 0
}

/** A status has three digits. */
const STATUSES = 1_000

export class ServiceCounters {
  /** How many requests ended with each status. */
  readonly statuses: Float64Array = new Float64Array(STATUSES)
  /** Time from admitted to answered. */
  readonly total = new Histogram()

  ended(status: number, ms: number): void {
    this.statuses[status]!++
    this.total.observe(ms)
  }
}

/** The counters of a gateway. */
export class GatewayCounters {
  readonly services = new Map<string, ServiceCounters>()

  of(service: string): ServiceCounters {
    let counters = this.services.get(service)
    if (!counters) {
      counters = new ServiceCounters()
      this.services.set(service, counters)
    }
    return counters
  }
}

/** The endings of a turn; see workers/turn.ts. */
export type Ending = 'answered' | 'failed' | 'late' | 'lost' | 'stopped'

/** The endings of a run of a task; see workers/tasks.ts. */
export type TaskEnding = 'done' | 'failed' | 'retry' | 'gaveUp'

/** The requests of one service that a worker has taken and finished. */
export class ServedCounters {
  finished = 0
  /** Those of them that failed, were too late, or were answered with a status of 500 or above. */
  failed = 0
  /** Time from written to taken, on the space's clock. */
  readonly waited = new Histogram()
  /** Time from taken to the end of the turn. */
  readonly time = new Histogram()
}

const FIRST_ERROR = 500

/** The counters of a worker. */
export class WorkerCounters {
  /** By service. */
  readonly served = new Map<string, ServedCounters>()
  readonly endings: Record<Ending, number> = { answered: 0, failed: 0, late: 0, lost: 0, stopped: 0 }
  /** Requests taken. */
  taken = 0
  /** Deliveries that were not the first. */
  redelivered = 0
  /** Answers that the space refused, because it had ended the claim. */
  refused = 0
  /** Overrun handlers so far. */
  overrunHandlers = 0
  /** Runs of each task, by how they ended. */
  readonly tasks = new Map<string, Record<TaskEnding, number>>()

  of(service: string): ServedCounters {
    let counters = this.served.get(service)
    if (!counters) {
      counters = new ServedCounters()
      this.served.set(service, counters)
    }
    return counters
  }

  took(service: string, waitedMs: number): void {
    this.taken++
    this.of(service).waited.observe(waitedMs)
  }

  ended(service: string, ending: Ending, status: number, ms: number): void {
    this.endings[ending]++
    const counters = this.of(service)
    counters.time.observe(ms)
    if (ending === 'stopped') return
    counters.finished++
    if (ending !== 'lost' && (ending !== 'answered' || status >= FIRST_ERROR)) counters.failed++
  }

  get waited(): Histogram {
    return histogramOf([...this.served.values()].map(({ waited }) => waited))
  }

  get time(): Histogram {
    return histogramOf([...this.served.values()].map(({ time }) => time))
  }

  /** Requests finished so far, and those of them that failed. */
  get outcomes(): { readonly finished: number; readonly failed: number } {
    const served = [...this.served.values()]
    const sum = (of: (counters: ServedCounters) => number): number =>
      served.reduce((total, each) => total + of(each), 0)
    return { finished: sum(({ finished }) => finished), failed: sum(({ failed }) => failed) }
  }

  taskEnded(task: string, ending: TaskEnding): void {
    let endings = this.tasks.get(task)
    if (!endings) {
      endings = { done: 0, failed: 0, retry: 0, gaveUp: 0 }
      this.tasks.set(task, endings)
    }
    endings[ending]++
  }
}

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

/** The counters of a worker. */
export class WorkerCounters {
  readonly endings: Record<Ending, number> = { answered: 0, failed: 0, late: 0, lost: 0, stopped: 0 }
  /** Requests taken. */
  taken = 0
  /** Time from written to taken, on the space's clock. */
  readonly waited = new Histogram()
  /** Time from taken to the end of the turn. */
  readonly time = new Histogram()
  /** Deliveries that were not the first. */
  redelivered = 0
  /** Answers that the space refused, because it had ended the claim. */
  refused = 0
  /** Overrun handlers so far. */
  overrunHandlers = 0
  /** Runs of each task, by how they ended. */
  readonly tasks = new Map<string, Record<TaskEnding, number>>()

  /** Requests finished so far, and those of them that failed or were too late. */
  get outcomes(): { readonly finished: number; readonly failed: number } {
    const { answered, failed, late, lost } = this.endings
    return { finished: answered + failed + late + lost, failed: failed + late }
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

/** The part of each service in a worker: what it works on, its slots, and what it has finished of late. */
import type { ServedService } from '../src/control/kinds.js'
import type { WorkerCounters } from '../src/runtime/counters.js'
import { Recent } from '../src/runtime/recent.js'
import { TASK_METHOD } from '../src/tasks/message.js'

export interface ServedTerms {
  readonly services: readonly string[]
  readonly concurrency: number
  readonly hasApp: boolean
  readonly hasTasks: boolean
  readonly counters: WorkerCounters
  /** The turns in flight. */
  turns(): Iterable<{ readonly service: string; readonly method: string }>
}

/** The slots of the app are those of all services; tasks have slots of each service. */
export class Served {
  readonly #terms: ServedTerms
  readonly #recent: readonly Recent[]

  constructor(terms: ServedTerms) {
    this.#terms = terms
    this.#recent = terms.services.map((service) => new Recent(() => numbersOf(terms.counters, service)))
  }

  /** Returns the parts, with the numbers of the last `ms`. */
  parts(): { readonly ms: number; readonly services: readonly ServedService[] } {
    const { services, concurrency, hasApp, hasTasks } = this.#terms
    const [ofApp, ofTasks] = this.#held()
    const inApp = services.reduce((sum, service) => sum + (ofApp.get(service) ?? 0), 0)
    const freeOfApp = hasApp ? Math.max(concurrency - inApp, 0) : 0
    let ms = 0
    const parts = services.map((service, i): ServedService => {
      const [app, tasks] = [ofApp.get(service) ?? 0, ofTasks.get(service) ?? 0]
      const share = Math.floor(freeOfApp / services.length) + Number(i < freeOfApp % services.length)
      const freeOfTasks = hasTasks ? Math.max(concurrency - tasks, 0) : 0
      const added = this.#recent[i]!.added()
      ms = added.ms
      const [finished = 0, failed = 0] = added.numbers
      const [waited, ran] = histogramsIn(added.numbers)
      const held = app + tasks
      const capacity = held + share + freeOfTasks
      return { service, held, capacity, free: freeOfApp + freeOfTasks, finished, failed, waited, ran }
    })
    return { ms, services: parts }
  }

  /** Returns the turns in flight of each service: those of the app, and tasks. */
  #held(): [Map<string, number>, Map<string, number>] {
    const [ofApp, ofTasks] = [new Map<string, number>(), new Map<string, number>()]
    for (const { service, method } of this.#terms.turns()) {
      const of = method === TASK_METHOD ? ofTasks : ofApp
      of.set(service, (of.get(service) ?? 0) + 1)
    }
    return [ofApp, ofTasks]
  }
}

const COUNTS = 2

function numbersOf(counters: WorkerCounters, service: string): readonly number[] {
  const { finished, failed, waited, time } = counters.of(service)
  return [finished, failed, ...waited.counts, ...time.counts]
}

function histogramsIn(numbers: readonly number[]): [readonly number[], readonly number[]] {
  const buckets = (numbers.length - COUNTS) / 2
  return [trimmed(numbers.slice(COUNTS, COUNTS + buckets)), trimmed(numbers.slice(COUNTS + buckets))]
}

/** Leaves out zeros at the end. */
const trimmed = (counts: readonly number[]): readonly number[] =>
  counts.slice(0, counts.findLastIndex((n) => n > 0) + 1)

/** The metrics of a space, a gateway and a worker, read from their state when they are asked for. */

import { controlOf } from '../control.js'
import type { Health, MemoryOfStore } from '../engine.js'
import { BOUNDS_MS, type GatewayCounters, type Histogram, type WorkerCounters } from '../runtime/counters.js'
import type { Space } from '../space.js'

export interface Sample {
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
  /** The name, if it is not the measure's own: `…_bucket`, `…_sum`, `…_count`. */
  readonly metricName?: string
}

export interface Measure {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  samples(): Sample[] | Promise<Sample[]>
}

type Labels = Sample['labels']

const single =
  (type: 'counter' | 'gauge') =>
  (name: string, help: string, value: () => number | Promise<number>, labels: Labels = {}): Measure => ({
    name,
    help,
    type,
    samples: async () => [{ labels, value: await value() }],
  })

const counter = single('counter')
const gauge = single('gauge')

/** Returns the samples of a histogram: cumulated, in seconds. */
function samplesOf(name: string, labels: Labels, { counts, sumMs }: Histogram): Sample[] {
  let count = 0
  const buckets = Array.from(counts, (n, i) => {
    count += n
    const bound = BOUNDS_MS[i]
    const le = bound === undefined ? '+Inf' : bound / 1_000
    return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: count }
  })
  const sum = { metricName: `${name}_sum`, labels, value: sumMs / 1_000 }
  return [...buckets, sum, { metricName: `${name}_count`, labels, value: count }]
}

const histogram = (name: string, help: string, spreads: () => Promise<[Labels, Histogram][]>): Measure => ({
  name,
  help,
  type: 'histogram',
  samples: async () => (await spreads()).flatMap(([labels, spread]) => samplesOf(name, labels, spread)),
})

/** Absent until the memory is known, and in memory. */
const memoryGauge = (
  name: string,
  help: string,
  health: () => Promise<Health>,
  read: (memory: MemoryOfStore) => number | undefined,
): Measure => ({
  name,
  help,
  type: 'gauge',
  async samples() {
    const { memory } = await health()
    const value = memory && read(memory)
    return value === undefined ? [] : [{ labels: {}, value }]
  },
})

export function spaceMeasures(space: Space): Measure[] {
  const health = () => space.engine.health()
  return [
    gauge('takespace_space_connected', '1 while calls reach the space.', async () =>
      Number((await health()).connected),
    ),
    gauge('takespace_space_queued', 'Operations not answered yet.', async () => (await health()).queued),
    counter(
      'takespace_space_reconnects_total',
      'Links that replaced a lost one.',
      async () => (await health()).reconnects,
    ),
    counter(
      'takespace_damaged_total',
      'Damaged entries, bodies and messages that this process found in the space.',
      async () => (await health()).damaged,
    ),
    counter(
      'takespace_nonconforming_entries_total',
      'Entries that did not match their schema and were moved to the dead letters.',
      () => space.nonconformingEntries,
    ),
    counter(
      'takespace_space_gaps_total',
      'Times that pushes were lost, or this process and the space disagreed on what it holds.',
      async () => (await health()).gaps,
    ),
    gauge('takespace_space_may_evict', '1 while the server may evict keys.', async () =>
      Number((await health()).evicts !== undefined),
    ),
    gauge('takespace_space_durability', 'The durability level, as the label.', () => 1, { level: space.durability }),
    memoryGauge('takespace_space_memory_bytes', 'Memory that the server uses.', health, ({ usedBytes }) => usedBytes),
    memoryGauge(
      'takespace_space_memory_limit_bytes',
      'Memory that the server may use (maxmemory); absent without a limit.',
      health,
      ({ limitBytes }) => limitBytes || undefined,
    ),
    gauge('takespace_streams_open', 'Streamed bodies that are open.', () => space.streams.size),
    {
      name: 'takespace_stream_bytes_total',
      help: 'Bytes of streamed bodies that were sent to processes and received from them.',
      type: 'counter',
      samples: () => Object.entries(space.streams.bytes).map(([way, value]) => ({ labels: { way }, value })),
    },
    gauge(
      'takespace_stream_unconfirmed_bytes',
      'Bytes of streamed bodies that were written and have not arrived.',
      () => space.streams.keptBytes,
    ),
    {
      name: 'takespace_streams_total',
      help: 'Streamed bodies that have ended, by the way that they took at their end.',
      type: 'counter',
      samples: () => Object.entries(space.streams.ended).map(([way, value]) => ({ labels: { way }, value })),
    },
    {
      name: 'takespace_paused',
      help: '1 for each service and task that is paused, as this process knows.',
      type: 'gauge',
      samples: () => controlOf(space).pauses.map(({ what, name }) => ({ labels: { what, name }, value: 1 })),
    },
    gauge('takespace_drained', '1 while an operator has this process take nothing new.', () =>
      Number(controlOf(space).isDrained),
    ),
    gauge('takespace_direct_connections', 'Direct connections of streams.', () => space.streams.direct.links),
    counter(
      'takespace_direct_refused_total',
      'Connections for streams that were closed because they were not invited.',
      () => space.streams.direct.refused,
    ),
  ]
}

export interface GatewayState {
  readonly inFlight: number
  readonly capacity: number
  /** Age of the oldest request under way, in ms; 0 without requests. */
  readonly oldestMs: number
}

export const gatewayMeasures = (counters: GatewayCounters, state: () => GatewayState): Measure[] => [
  {
    name: 'takespace_requests_total',
    help: 'Requests that were answered (499: the client had gone).',
    type: 'counter',
    samples: () =>
      [...counters.services].flatMap(([service, { statuses }]) =>
        [...statuses.entries()]
          .filter(([, value]) => value > 0)
          .map(([status, value]) => ({ labels: { service, status }, value })),
      ),
  },
  histogram('takespace_request_seconds', 'From the request head to the answer.', async () =>
    [...counters.services].map(([service, { total }]) => [{ service }, total]),
  ),
  gauge('takespace_requests_in_flight', 'Requests under way.', () => state().inFlight),
  gauge('takespace_requests_capacity', 'Requests that may be under way.', () => state().capacity),
  gauge('takespace_requests_oldest_seconds', 'Age of the oldest request under way.', () => state().oldestMs / 1_000),
]

export interface WorkerState {
  readonly service: string
  readonly capacity: number
  readonly turns: {
    readonly inFlight: number
    /** Handlers that run although their turn has ended. */
    readonly overrunHandlers: number
    /** Age of the oldest turn, in ms; 0 without turns. */
    readonly oldestMs: number
  }
}

export function workerMeasures(counters: WorkerCounters, { service, capacity, turns }: WorkerState): Measure[] {
  const labels = { service }
  return [
    {
      name: 'takespace_turns_total',
      help: 'Turns, by how they ended.',
      type: 'counter',
      samples: () =>
        Object.entries(counters.endings).map(([ending, value]) => ({ labels: { ...labels, ending }, value })),
    },
    histogram('takespace_waiting_seconds', "From written to taken, on the space's clock.", async () => [
      [labels, counters.waited],
    ]),
    histogram('takespace_service_seconds', 'From taken to the end of the turn.', async () => [[labels, counters.time]]),
    counter('takespace_redeliveries_total', 'Deliveries after the first.', () => counters.redelivered, labels),
    counter(
      'takespace_refused_completions_total',
      'Answers that came after the claim.',
      () => counters.refused,
      labels,
    ),
    gauge('takespace_turns_in_flight', 'Requests that it holds.', () => turns.inFlight, labels),
    gauge('takespace_turns_capacity', 'Requests that it may hold.', () => capacity, labels),
    gauge('takespace_turns_oldest_seconds', 'Age of its oldest turn.', () => turns.oldestMs / 1_000, labels),
    gauge(
      'takespace_overrun_handlers',
      'Handlers that run although their turn is over.',
      () => turns.overrunHandlers,
      labels,
    ),
    counter('takespace_overrun_handlers_total', 'Handlers that ever did.', () => counters.overrunHandlers, labels),
    {
      name: 'takespace_tasks_total',
      help: 'Runs of tasks, by how they ended.',
      type: 'counter',
      samples: () =>
        [...counters.tasks].flatMap(([task, endings]) =>
          Object.entries(endings).map(([ending, value]) => ({ labels: { ...labels, task, ending }, value })),
        ),
    },
  ]
}

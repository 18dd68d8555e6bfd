/** Metrics of a space, the same wherever they are read: waiting requests, dead letters and processes. */
import type { ProcessReport } from '../control/kinds.js'
import { processesIn } from '../control/processes.js'
import type { Backlog } from '../engine.js'
import { ALL_DEAD_LETTERS } from '../entry/dead-letter.js'
import { backlogOf } from '../request.js'
import { valueWithin } from '../runtime/deadline.js'
import type { Space } from '../space.js'
import type { Measure, Sample } from './measures.js'

/** If the space takes longer, these metrics are left out. */
const ANSWERED_WITHIN_MS = 900

export function backlogMeasures(space: Space, services: readonly string[]): Measure[] {
  const names = [...new Set(services)]
  const processes = together(() => processesIn(space))
  const waiting = names.map((service) => ({
    labels: { service },
    ask: together(() => backlogOf(space, service)),
  }))
  const letters = [{ labels: {}, ask: together(() => space.engine.backlog(ALL_DEAD_LETTERS)) }]
  return [
    gauge('takespace_waiting', 'Requests that wait for a worker.', waiting, ({ count }) => count),
    gauge(
      'takespace_waiting_oldest_seconds',
      'For how long the oldest of them has.',
      waiting,
      ({ oldestMs }) => oldestMs / 1_000,
    ),
    {
      name: 'takespace_processes',
      help: 'Processes in the space.',
      type: 'gauge',
      samples: async () => processSamples((await processes()) ?? []),
    },
    {
      name: 'takespace_service_workers',
      help: 'Worker processes that take requests of the service.',
      type: 'gauge',
      samples: async () => {
        const known = await processes()
        return known ? names.map((service) => ({ labels: { service }, value: workersOf(known, service) })) : []
      },
    },
    gauge('takespace_dead_letters', 'Dead letters in the space.', letters, ({ count }) => count),
  ]
}

/** A process of two roles counts for each. */
function processSamples(processes: readonly ProcessReport[]): Sample[] {
  const counts = new Map<string, Sample>()
  for (const { roles, release, version, state } of processes) {
    for (const role of roles) {
      const labels = { role, release, version, state }
      const key = JSON.stringify(labels)
      counts.set(key, { labels, value: (counts.get(key)?.value ?? 0) + 1 })
    }
  }
  return [...counts.values()]
}

const workersOf = (processes: readonly ProcessReport[], service: string): number =>
  processes.filter(
    ({ roles, services, state }) => roles.includes('worker') && services.includes(service) && state === 'running',
  ).length

interface BacklogQuestion {
  readonly labels: Readonly<Record<string, string>>
  ask(): Promise<Backlog | undefined>
}

const gauge = (
  name: string,
  help: string,
  all: readonly BacklogQuestion[],
  read: (backlog: Backlog) => number,
): Measure => ({
  name,
  help,
  type: 'gauge',
  async samples() {
    const asked = all.map(async ({ labels, ask }) => ({ labels, backlog: await ask() }))
    return (await Promise.all(asked)).flatMap(({ labels, backlog }) =>
      backlog ? [{ labels, value: read(backlog) }] : [],
    )
  },
})

/** Shares one question among all concurrent callers. */
function together<T>(question: () => Promise<T>): () => Promise<T | undefined> {
  let asking: Promise<T | undefined> | undefined
  return () => {
    asking ??= valueWithin(ANSWERED_WITHIN_MS, question())
      .catch(() => undefined)
      .finally(() => {
        asking = undefined
      })
    return asking
  }
}

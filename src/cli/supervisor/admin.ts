/** The admin port of a supervisor, for itself and all of its processes. */
import { backlogMeasures } from '../../admin/backlog.js'
import { Admin } from '../../admin/index.js'
import type { Family, ProcessMetrics } from '../../admin/metrics.js'
import type { AdminAddress } from '../../admin/server.js'
import type { Logger } from '../../log.js'
import type { Space } from '../../space.js'
import type { Supervisor } from '../supervisor.js'
import type { WorkerSlot } from './worker-slot.js'

export interface AdminAt extends AdminAddress {
  /** The services of the processes. */
  readonly services: readonly string[]
}

/** A slower process is left out. While its space does not answer, it takes 900 ms. */
const ANSWERED_WITHIN_MS = 1_500

export function supervisorAdmin(supervisor: Supervisor, space: Space, at: AdminAt, logger: Logger): Admin {
  const { services, ...address } = at
  const serving = (): number => supervisor.count('ready')
  return new Admin({
    ...address,
    space,
    logger,
    measures: backlogMeasures(space, services),
    serving: () => serving() > 0,
    remarks: () => ({ processes: `${serving()} of ${supervisor.slots.length} serve` }),
    async gather(own) {
      const { aggregated, gathered } = await import('../../admin/metrics.js')
      // Counted first: states may change during the wait for a process.
      const processes = processFamilies(supervisor)
      const reports = await Promise.all(supervisor.slots.map(metricsOf))
      const portions = reports.map(([process, metrics]) => [process, metrics?.families ?? []] as const)
      const ours = [...processes, ...gathered([['supervisor', own], ...portions])]
      return [
        ...ours,
        ...(await aggregated(
          reports.map(([, metrics]) => metrics?.ofApp ?? []),
          ours,
        )),
      ]
    },
  })
}

/**
 * Only the ready process of a slot is asked: one that starts or leaves shares its number, and a blocked one does not
 * answer.
 */
async function metricsOf({ number, child }: WorkerSlot): Promise<[string, ProcessMetrics | undefined]> {
  return [String(number), child?.state === 'ready' ? await child.metrics(ANSWERED_WITHIN_MS) : undefined]
}

/** The metrics of a supervisor itself. */
export function processFamilies(supervisor: Pick<Supervisor, 'role' | 'count' | 'replaced'>): Family[] {
  const { role } = supervisor
  const Role = role === 'worker' ? 'Worker' : 'Gateway'
  const states = ['ready', 'starting', 'blocked', 'leaving'] as const
  return [
    {
      name: `takespace_${role}_processes`,
      help: `${Role} processes, by state.`,
      type: 'gauge',
      values: states.map((state) => ({ labels: { state }, value: supervisor.count(state) })),
    },
    {
      name: `takespace_${role}_replacements_total`,
      help: `${Role} processes that were replaced, by why.`,
      type: 'counter',
      values: Object.entries(supervisor.replaced).map(([reason, value]) => ({ labels: { reason }, value })),
    },
  ]
}

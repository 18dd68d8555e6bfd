/** The metrics of takespace, by name and type, as the source defines them: measured on a gateway, a worker and a supervisor without work. */
import { backlogMeasures } from '../../src/admin/backlog.js'
import { gatewayMeasures, spaceMeasures, workerMeasures } from '../../src/admin/measures.js'
import { processFamilies } from '../../src/cli/supervisor/admin.js'
import { openSpace } from '../../src/open.js'
import { GatewayCounters, WorkerCounters } from '../../src/runtime/counters.js'

const IDLE = { inFlight: 0, capacity: 1, oldestMs: 0 }
const REPLACED = { exit: 0, crash: 0, blocked: 0, requests: 0, memory: 0, overrun: 0 }

export async function metricTypes(): Promise<Map<string, string>> {
  const space = await openSpace('memory:')
  const turns = { ...IDLE, overrunHandlers: 0 }
  const all = [
    ...gatewayMeasures(new GatewayCounters(), () => IDLE),
    ...workerMeasures(new WorkerCounters(), { service: 'web', capacity: 1, turns }),
    ...spaceMeasures(space),
    ...backlogMeasures(space, ['web']),
    ...(['gateway', 'worker'] as const).flatMap((role) =>
      processFamilies({ role, count: () => 0, replaced: REPLACED }),
    ),
  ]
  await space.close()
  return new Map(all.map(({ name, type }) => [name, type]))
}

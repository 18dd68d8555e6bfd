/** Runs a supervisor until a signal: its connection to the space, its admin port, its start and its end. */
import type { AdminAddress } from '../../admin/server.js'
import { openSpace } from '../../open.js'
import { openLog } from '../log.js'
import { stopOnSignal } from '../signals.js'
import { Supervisor, type SupervisorTerms } from '../supervisor.js'
import { supervisorAdmin } from './admin.js'
import { FailureReports } from './failure-reports.js'

export interface SuperviseTerms {
  /** The name of the space. */
  readonly name: string
  readonly durability: 'memory' | 'local' | 'fsync' | undefined
  /** The admin port of the supervisor, for all processes. */
  readonly admin: AdminAddress | undefined
  /** The services of the processes. */
  readonly services: readonly string[]
}

/** Resolves when all processes are ready. `shown` are the fields of the log line of the start. */
export async function supervise(
  url: string,
  { name, durability, admin: adminAt, services }: SuperviseTerms,
  processes: Omit<SupervisorTerms, 'failureReports' | 'logger'>,
  shown: object,
): Promise<void> {
  const logger = await openLog('supervisor')
  const space = await openSpace(url, { name, durability, logger })
  const supervisor = new Supervisor({ ...processes, failureReports: new FailureReports(space, logger), logger })
  const admin = adminAt && supervisorAdmin(supervisor, space, { services, ...adminAt }, logger)
  const stop = async (): Promise<void> => {
    if (admin) admin.phase = 'draining'
    await supervisor.stop()
    await admin?.close()
    await space.close()
  }
  stopOnSignal({
    async stop() {
      logger.info({}, 'stopping')
      await stop()
      logger.info({}, 'stopped')
    },
    now: () => supervisor.killAll(),
  })
  logger.info(shown, 'starting')
  const start = (): Promise<void> => supervisor.start()
  try {
    await (admin ? admin.during(start) : start())
  } catch (error) {
    await stop()
    throw error
  }
}

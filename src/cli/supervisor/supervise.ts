/** Runs a supervisor until a signal: its connection to the space, its admin port, its start and its end. */
import type { AdminAddress } from '../../admin/server.js'
import { controlOf, type Member } from '../../control.js'
import type { Durability } from '../../engine/durability.js'
import type { Logger } from '../../log.js'
import { openSpace } from '../../open.js'
import type { Space } from '../../space.js'
import { openLog } from '../log.js'
import { serviceManager } from '../service-manager.js'
import { stopOnSignal } from '../signals.js'
import { Supervisor, type SupervisorTerms } from '../supervisor.js'
import { supervisorAdmin } from './admin.js'
import { FailureReports } from './failure-reports.js'

export interface SuperviseTerms {
  /** The name of the space. */
  readonly name: string
  readonly durability: Durability | undefined
  readonly nextUrl: string | undefined
  /** Returns the admin port of the supervisor, for all processes. */
  admin(space: Space, logger: Logger): Promise<AdminAddress | undefined>
  /** The services of the processes. */
  readonly services: readonly string[]
}

/** Resolves when all processes are ready. `shown` are the fields of the log line of the start. */
export async function supervise(
  url: string,
  { name, nextUrl, durability, admin: adminAt, services }: SuperviseTerms,
  processes: Omit<SupervisorTerms, 'failureReports' | 'logger' | 'settings'> & { readonly settings?: object },
  shown: object,
): Promise<void> {
  const logger = await openLog('supervisor')
  const manager = serviceManager(logger)
  const opening = openSpace(url, { name, nextUrl, durability, logger })
  const settings = opening.then(() => processes.settings ?? {})
  settings.catch(() => {})
  const supervisor = new Supervisor({
    ...processes,
    settings,
    failureReports: new FailureReports(opening, logger),
    logger,
  })
  // The processes load their code meanwhile, and wait.
  const started = supervisor.start()
  started.catch(() => {})
  const fail = async (error: unknown): Promise<never> => {
    supervisor.killAll()
    await supervisor.stop()
    throw error
  }
  const space = await opening.catch(fail)
  const at = await adminAt(space, logger).catch(async (error) => {
    await space.close()
    return fail(error)
  })
  const admin = at && supervisorAdmin(supervisor, space, { services, ...at }, logger)
  const control = controlOf(space)
  const member: Member = {
    role: 'supervisor',
    services,
    tasks: [],
    logger,
    stop: () => stop(),
  }
  let stopping: Promise<void> | undefined
  const stopAll = async (): Promise<void> => {
    manager?.stopping()
    logger.info({}, 'stopping')
    if (admin) admin.phase = 'draining'
    control.stopping(member)
    await supervisor.stop()
    await control.leave(member)
    await admin?.close()
    await space.close()
    logger.info({}, 'stopped')
  }
  const stop = (): Promise<void> => (stopping ??= stopAll())
  stopOnSignal({ stop, now: () => supervisor.killAll() })
  logger.info(shown, 'starting')
  try {
    await (admin ? admin.during(() => started) : started)
    await control.join(member)
    manager?.ready()
  } catch (error) {
    await stop()
    throw error
  }
}

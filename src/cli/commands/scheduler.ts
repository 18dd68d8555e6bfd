/**
 * `takespace scheduler`: runs tasks that are due later, again and again, or after a failure, and the jobs of BullMQ
 * queues.
 */
import type { Command } from 'commander'
import type { Durability } from '../../engine/durability.js'
import { openSpace } from '../../open.js'
import { createScheduler } from '../../scheduler.js'
import { masked } from '../failure.js'
import { openLog } from '../log.js'
import { serviceManager } from '../service-manager.js'
import { sharedNextUrl, sharedUrl } from '../settings/shared-url.js'
import { closeOnSignal } from '../signals.js'

interface Flags {
  readonly url?: string
  readonly nextUrl?: string
  readonly name: string
  readonly durability?: Durability
  readonly fromQueue?: readonly string[]
  readonly service: string
  readonly jobs: number
  readonly jobTimeoutMs: number
}

export async function scheduler(flags: Flags, command: Command): Promise<void> {
  const { name, durability, fromQueue = [], service, jobs, jobTimeoutMs } = flags
  const url = sharedUrl(command, flags.url)
  const logger = await openLog('scheduler')
  const manager = serviceManager(logger)
  const space = await openSpace(url, { name, nextUrl: sharedNextUrl(command, flags.nextUrl), durability, logger })
  try {
    const terms = { fromQueues: fromQueue, service, concurrency: jobs, timeoutMs: jobTimeoutMs }
    await createScheduler({ space, ...terms, logger }).start()
    logger.info({ space: masked(url), name }, 'ready')
  } catch (error) {
    await space.close()
    throw error
  }
  closeOnSignal(space, logger, manager)
}

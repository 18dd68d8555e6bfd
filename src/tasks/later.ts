/** Later: how schedulers are asked for later tasks, and the advice if none has answered. */
import { backlogOf, type SendOptions } from '../request.js'
import type { Space } from '../space.js'

/** The service of the schedulers. */
export const SCHEDULER = 'takespace.scheduler'

/** The task of a scheduler to take over a ticket. The id of such a request ends with it, and no other id does. */
export const LATER = 'later'

export const HOW_TO_SCHEDULE =
  'Start a scheduler: takespace scheduler, or createScheduler({ space }) in a program; for memory: in this one.'

/** Returns how a request to a scheduler is sent. */
export const toScheduler = (task: string): SendOptions => ({
  service: SCHEDULER,
  task,
  timeoutMs: 30_000,
  priority: 0,
  repeatable: true,
})

/** Returns true if a request waits for a scheduler. */
export const lacksScheduler = async (space: Space): Promise<boolean> => (await backlogOf(space, SCHEDULER)).count > 0

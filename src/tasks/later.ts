/** Later: how schedulers are asked for what is due later, and what is said while none has answered. */
import { backlogOf, type SendOptions } from '../request.js'
import type { Space } from '../space.js'

/** The service of the schedulers. */
export const SCHEDULER = 'takespace.scheduler'

/** The task of a scheduler to look after a ticket; the id of such a request ends so, and no id that a space makes does. */
export const LATER = 'later'

export const HOW_TO_SCHEDULE =
  'Start a scheduler: takespace scheduler, or createScheduler({ space }) in a program; for memory: in this one.'

/** The terms of what a scheduler is asked. */
export const toScheduler = (task: string): SendOptions => ({
  service: SCHEDULER,
  task,
  timeoutMs: 30_000,
  priority: 0,
  repeatable: true,
})

/** Returns true if something in the space waits for a scheduler. */
export const lacksScheduler = async (space: Space): Promise<boolean> => (await backlogOf(space, SCHEDULER)).count > 0

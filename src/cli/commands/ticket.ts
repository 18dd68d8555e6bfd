/** `takespace ticket`: prints the state of an enqueued task, or cancels it. */
import type { Command } from 'commander'
import { createClient } from '../../client.js'
import { audited, commandOperator } from '../../control/audit.js'
import { isSpaceError } from '../../errors.js'
import { print } from './nodes.js'
import { openObserved, openOperated, type SpaceFlags } from './operated.js'

interface Flags extends SpaceFlags {
  readonly cancel?: true
}

export async function ticketCommand(id: string, flags: Flags, command: Command): Promise<void> {
  await using space = await (flags.cancel ? openOperated : openObserved)(command, flags)
  const ticket = createClient({ space }).ticket(id)
  const what = { ...commandOperator(), act: 'tasks.cancel', target: id, count: 1 }
  if (flags.cancel && !(await audited(space, what, () => ticket.cancel()))) process.exitCode = 1
  const status = await ticket.status().catch((error) => {
    if (!isSpaceError(error, 'TICKET_UNKNOWN')) throw error
    throw new Error(`there is no ticket ${id}, or its outcome is no longer kept`)
  })
  const { state, attempt, progress, error, dueAt } = status
  if (flags.json) return print([JSON.stringify({ id, ...status })])
  const more = [
    ...(progress === undefined ? [] : [`progress ${JSON.stringify(progress)}`]),
    ...(error ? [`${error.name}: ${error.message}`] : []),
    ...(dueAt ? [`due ${dueAt.toISOString()}`] : []),
  ]
  print([[`${id}  ${state}, attempt ${attempt}`, ...more].join('  ').replace(/\s*\n\s*/g, ' ')])
}

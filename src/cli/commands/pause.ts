/** `takespace pause` and `takespace resume`: services and tasks of which no worker takes requests. */
import type { Command } from 'commander'
import { wallMs } from '../../clock.js'
import { audited, commandOperator } from '../../control/audit.js'
import { pausesIn, pauseWork, resumeWork } from '../../control/pauses.js'
import { durationText, tableOf } from '../table.js'
import { print } from './nodes.js'
import { openOperated, type SpaceFlags } from './operated.js'

interface Flags extends SpaceFlags {
  readonly task?: true
  readonly refuse?: true
}

export async function pauseCommand(
  verb: 'pause' | 'resume',
  name: string | undefined,
  flags: Flags,
  command: Command,
): Promise<void> {
  await using space = await openOperated(command, flags)
  const what = flags.task ? 'task' : 'service'
  if (name === undefined) {
    const pauses = await pausesIn(space)
    const rows = pauses.map((each) => [
      each.what,
      each.name,
      each.refuses ? 'refused' : 'wait',
      each.by,
      durationText(wallMs() - each.since),
    ])
    return print(
      flags.json
        ? pauses.map((each) => JSON.stringify(each))
        : tableOf(['WHAT', 'NAME', 'REQUESTS', 'BY', 'SINCE'], rows),
    )
  }
  const refuses = flags.refuse ?? false
  const operator = commandOperator()
  const target = `${what} ${name}${refuses ? ', refused' : ''}`
  const changed = await audited(space, { ...operator, act: verb, target, count: 1 }, () =>
    verb === 'pause' ? pauseWork(space, what, name, { refuses, by: operator.by }) : resumeWork(space, what, name),
  )
  const outcome = verb === 'pause' ? 'is paused' : changed ? 'goes on' : 'was not paused'
  print([flags.json ? JSON.stringify({ what, name, paused: verb === 'pause', changed }) : `${what} ${name} ${outcome}`])
  if (verb === 'resume' && !changed) process.exitCode = 1
}

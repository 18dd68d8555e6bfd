/** `takespace schedules`: lists schedules, has the task of one done once more, or ends one. */
import type { Command } from 'commander'
import { audited, commandOperator } from '../../control/audit.js'
import { type Planned, runSchedule, schedules, unschedule } from '../../tasks/schedule.js'
import { tableOf } from '../table.js'
import { print } from './nodes.js'
import { openOperated, type SpaceFlags } from './operated.js'

interface Flags extends SpaceFlags {
  readonly run?: string
  readonly remove?: string
}

/** How long a scheduler may take to answer. */
const ANSWER_MS = 10_000

export async function schedulesCommand(flags: Flags, command: Command): Promise<void> {
  await using space = await openOperated(command, flags)
  const { run, remove, json } = flags
  const options = { callTimeoutMs: ANSWER_MS }
  const act = (name: 'run' | 'remove', target: string, acts: typeof runSchedule): Promise<boolean> =>
    audited(space, { ...commandOperator(), act: `schedules.${name}`, target, count: 1 }, () =>
      acts(space, target, options),
    )
  if (run !== undefined) return report(run, 'was run', await act('run', run, runSchedule), flags)
  if (remove !== undefined) return report(remove, 'has ended', await act('remove', remove, unschedule), flags)
  const planned = await schedules(space, options)
  print(json ? planned.map((each) => JSON.stringify(each)) : tableOf(HEAD, planned.map(rowOf)))
}

const HEAD = ['SCHEDULE', 'TASK', 'SERVICE', 'TIMES', 'NEXT']

const rowOf = ({ name, task, service, times, next }: Planned): string[] => {
  const shown = 'cron' in times ? `${times.cron} ${times.timeZone ?? 'UTC'}` : `every ${times.everyMs} ms`
  return [name, task, service, shown, new Date(next).toISOString()]
}

function report(name: string, what: string, done: boolean, { json }: Flags): void {
  if (!done) throw new Error(`there is no schedule ${name}`)
  print([json ? JSON.stringify({ name, done }) : `${name} ${what}`])
}

/** `takespace schedules`: lists schedules, has the task of one done once more, or ends one. */
import type { Command } from 'commander'
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
  if (run !== undefined) return report(run, 'was run', await runSchedule(space, run, options), flags)
  if (remove !== undefined) return report(remove, 'has ended', await unschedule(space, remove, options), flags)
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

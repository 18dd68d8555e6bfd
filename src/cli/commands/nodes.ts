/** `takespace nodes`: lists the processes of a space, as they tell of themselves. */
import type { Command } from 'commander'
import { wallMs } from '../../clock.js'
import type { ProcessReport } from '../../control/kinds.js'
import { chosenOf, processesIn } from '../../control/processes.js'
import { durationText, tableOf } from '../table.js'
import { openObserved, type SpaceFlags } from './operated.js'

export interface ChosenFlags extends SpaceFlags {
  readonly host?: string
  readonly role?: string
  readonly service?: string
  readonly ofRelease?: string
}

export async function nodes(process: string | undefined, flags: ChosenFlags, command: Command): Promise<void> {
  await using space = await openObserved(command, flags)
  const found = chosenOf(await processesIn(space), { ...flags, process, release: flags.ofRelease })
  print(flags.json ? found.map((each) => JSON.stringify(each)) : processTable(found))
}

export const print = (lines: readonly string[]): void => {
  for (const line of lines) globalThis.process.stdout.write(`${line}\n`)
}

const HEAD = ['PROCESS', 'HOST', 'PID', 'ROLE', 'SERVES', 'RELEASE', 'STATE', 'HELD', 'OLDEST', 'LAG', 'MEMORY', 'UP']
const SHORT_NAME = 8
const MEGABYTE = 2 ** 20

/** Returns a table of processes. */
export const processTable = (processes: readonly ProcessReport[]): string[] =>
  tableOf(
    HEAD,
    processes.map((each) => [
      each.process.slice(0, SHORT_NAME),
      each.host,
      String(each.pid),
      each.roles.join(','),
      [...each.services, ...each.tasks.map((task) => `${task}()`)].join(','),
      each.release,
      each.state,
      each.capacity > 0 ? `${each.held}/${each.capacity}` : '',
      each.oldestMs > 0 ? durationText(each.oldestMs) : '',
      `${each.loopLagMs} ms`,
      `${Math.round(each.rssBytes / MEGABYTE)} MB`,
      durationText(wallMs() - each.startedAt),
    ]),
  )

/** `takespace requests`: lists the oldest requests that run, and those that wait, with the reason. */
import type { Command } from 'commander'
import { requestsIn, type SeenRequest } from '../../control/requests.js'
import { stateOf } from '../../control/state.js'
import { durationText, tableOf } from '../table.js'
import { print } from './nodes.js'
import { openOperated, type SpaceFlags } from './operated.js'

interface Flags extends SpaceFlags {
  readonly service?: string
  readonly id?: string
  readonly max: number
}

export async function requests(flags: Flags, command: Command): Promise<void> {
  await using space = await openOperated(command, flags)
  const { service, id, max, json } = flags
  const seen = await requestsIn(space, await stateOf(space), service, max)
  const found = seen.filter((each) => id === undefined || each.id === id)
  print(json ? found.map((each) => JSON.stringify(each)) : tableOf(HEAD, found.map(rowOf)))
  if (id !== undefined && found.length === 0) process.exitCode = 1
}

const HEAD = ['REQUEST', 'SERVICE', 'WHAT', 'STATE', 'AGE', 'LEFT', 'WHERE OR WHY']

const rowOf = (each: SeenRequest): string[] => [
  each.id,
  each.service,
  `${each.method} ${each.path}`,
  each.state,
  durationText(each.ageMs),
  each.leftMs === undefined ? '' : durationText(each.leftMs),
  each.process ?? each.why ?? '',
]

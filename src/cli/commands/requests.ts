/** `takespace requests`: lists the oldest requests that run, and those that wait, with the reason; or withdraws one. */
import type { Command } from 'commander'
import { audited, commandOperator } from '../../control/audit.js'
import { requestsIn, type SeenRequest } from '../../control/requests.js'
import { stateOf } from '../../control/state.js'
import { withdrawRequest } from '../../control/withdraw.js'
import { durationText, tableOf } from '../table.js'
import { print } from './nodes.js'
import { openObserved, openOperated, type SpaceFlags } from './operated.js'

interface Flags extends SpaceFlags {
  readonly service?: string
  readonly id?: string
  readonly max: number
  readonly withdraw?: true
}

export async function requests(flags: Flags, command: Command): Promise<void> {
  await using space = await (flags.withdraw ? openOperated : openObserved)(command, flags)
  const { service, id, max, json } = flags
  if (flags.withdraw) {
    if (id === undefined) return command.error('error: name the request by --id.')
    const state = await stateOf(space)
    const what = { ...commandOperator(), act: 'requests.withdraw', target: id, count: 1 }
    const done = await audited(space, what, () => withdrawRequest(space, id, state))
    print([json ? JSON.stringify({ id, done }) : done ? `${id} is withdrawn` : `there is no request ${id}`])
    if (!done) process.exitCode = 1
    return
  }
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

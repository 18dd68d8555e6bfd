/** `takespace transactions`: lists the transactions of all processes, or aborts one. */
import type { Command } from 'commander'
import { audited, commandOperator } from '../../control/audit.js'
import { processesIn } from '../../control/processes.js'
import { abortTransaction, type ShownTransaction, transactionsIn } from '../../control/transactions.js'
import { durationText, tableOf } from '../table.js'
import { print } from './nodes.js'
import { openOperated, type SpaceFlags } from './operated.js'

interface Flags extends SpaceFlags {
  readonly abort?: string
  readonly max: number
}

export async function transactionsCommand(flags: Flags, command: Command): Promise<void> {
  await using space = await openOperated(command, flags)
  const { abort: id, max, json } = flags
  if (id !== undefined) {
    const what = { ...commandOperator(), act: 'transactions.abort', target: id, count: 1 }
    const done = await audited(space, what, () => abortTransaction(space, id))
    print([json ? JSON.stringify({ id, done }) : done ? `${id} is aborted` : `there is no open transaction ${id}`])
    if (!done) process.exitCode = 1
    return
  }
  const seen = await transactionsIn(space, await processesIn(space), max)
  print(json ? seen.map((each) => JSON.stringify(each)) : tableOf(HEAD, seen.map(rowOf)))
}

const HEAD = ['TRANSACTION', 'OWNER', 'STATE', 'LEFT', 'HOLDS', 'WROTE', 'KINDS']

const rowOf = ({ id, owner, state, remainingMs, held, written, kinds }: ShownTransaction): string[] => [
  id,
  owner,
  state,
  state === 'open' ? durationText(remainingMs) : '',
  String(held),
  String(written),
  kinds.join(','),
]

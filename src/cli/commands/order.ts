/** `takespace order`: gives an order to processes, each of which answers. */
import type { Command } from 'commander'
import { audited, commandOperator } from '../../control/audit.js'
import type { ProcessReport } from '../../control/kinds.js'
import { type Obeyed, type OrderName, orderAll, orderTarget } from '../../control/order-all.js'
import { chosenOf, processesIn } from '../../control/processes.js'
import type { Space } from '../../space.js'
import { type ChosenFlags, print } from './nodes.js'
import { openOperated } from './operated.js'

export interface OrderFlags extends ChosenFlags {
  readonly all?: true
}

export async function orderCommand(
  asked: string,
  process: string | undefined,
  flags: OrderFlags,
  command: Command,
): Promise<void> {
  await using space = await openOperated(command, flags)
  const found = await meant(space, process, flags, command)
  const isOrder = asked === 'stop' || asked === 'recall' || asked === 'suspend'
  const obeyed = await (isOrder ? auditedOrder(space, asked, found) : auditedOrder(space, 'logLevel', found, asked))
  printObeyed(obeyed, flags)
}

/** Returns the processes that are meant. Without a choice none is. */
export async function meant(
  space: Space,
  process: string | undefined,
  flags: OrderFlags,
  command: Command,
): Promise<ProcessReport[]> {
  const { all, host, role, service, ofRelease: release } = flags
  const chosen = { process, host, role, service, release }
  if (!all && Object.values(chosen).every((each) => each === undefined)) {
    command.error('error: name a process, or choose by --host, --role, --service or --of-release, or give --all.')
  }
  const found = chosenOf(await processesIn(space), chosen)
  if (found.length === 0) throw new Error('no process is meant by that; `takespace nodes` lists them')
  return found
}

/** Gives an order to each process, under one record of the audit trail. */
export function auditedOrder(
  space: Space,
  name: OrderName,
  to: readonly ProcessReport[],
  argument = '',
): Promise<Obeyed[]> {
  const operator = commandOperator()
  const what = { ...operator, act: `processes.${argument || name}`, target: orderTarget(to), count: to.length }
  return audited(space, what, () => orderAll(space, name, to, { argument, by: operator.by }))
}

/** Prints a line for each process; the exit code is 1 if one has not obeyed. */
export function printObeyed(obeyed: readonly Obeyed[], { json }: { readonly json?: true }): void {
  const line = ({ process, host, pid, refusal }: Obeyed): string => `${process}  ${host}  ${pid}  ${refusal || 'obeys'}`
  print(obeyed.map((each) => (json ? JSON.stringify(each) : line(each))))
  if (obeyed.some(({ refusal }) => refusal)) globalThis.process.exitCode = 1
}

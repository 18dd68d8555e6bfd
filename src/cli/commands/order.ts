/** `takespace order`: gives an order to processes, each of which answers. */
import type { Command } from 'commander'
import { audited, commandOperator } from '../../control/audit.js'
import type { ProcessReport, Verb } from '../../control/kinds.js'
import { order } from '../../control/orders.js'
import { chosenOf, processesIn } from '../../control/processes.js'
import { isSpaceError } from '../../errors.js'
import type { Space } from '../../space.js'
import { type ChosenFlags, print } from './nodes.js'
import { openOperated } from './operated.js'

export interface OrderFlags extends ChosenFlags {
  readonly all?: true
}

export interface Obeyed {
  readonly process: string
  readonly host: string
  readonly pid: number
  /** '' if it was obeyed; else why not. */
  readonly refusal: string
}

export async function orderCommand(
  asked: string,
  process: string | undefined,
  flags: OrderFlags,
  command: Command,
): Promise<void> {
  await using space = await openOperated(command, flags)
  const found = await meant(space, process, flags, command)
  const isVerb = asked === 'stop' || asked === 'recall'
  const obeyed = await auditedOrder(space, asked, found, (each) =>
    asked === 'suspend'
      ? space.suspend(each.process).then(() => outcomeOf(each, ''))
      : give(space, each, isVerb ? asked : 'logLevel', isVerb ? '' : asked),
  )
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
  asked: string,
  to: readonly ProcessReport[],
  each: (process: ProcessReport) => Promise<Obeyed>,
): Promise<Obeyed[]> {
  const target = to.map(({ process }) => process).join(' ')
  const what = { ...commandOperator(), act: `processes.${asked}`, target, count: to.length }
  return audited(space, what, () => Promise.all(to.map(each)))
}

/** Gives one order and returns its outcome. */
export async function give(space: Space, to: ProcessReport, verb: Verb, argument = ''): Promise<Obeyed> {
  try {
    await order(space, to.process, verb, { argument, by: commandOperator().by })
    return outcomeOf(to, '')
  } catch (error) {
    if (!isSpaceError(error, 'ORDER_REFUSED') && !isSpaceError(error, 'ORDER_UNANSWERED')) throw error
    return outcomeOf(to, error.message)
  }
}

const outcomeOf = ({ process, host, pid }: ProcessReport, refusal: string): Obeyed => ({ process, host, pid, refusal })

/** Prints a line for each process; the exit code is 1 if one has not obeyed. */
export function printObeyed(obeyed: readonly Obeyed[], { json }: { readonly json?: true }): void {
  const line = ({ process, host, pid, refusal }: Obeyed): string => `${process}  ${host}  ${pid}  ${refusal || 'obeys'}`
  print(obeyed.map((each) => (json ? JSON.stringify(each) : line(each))))
  if (obeyed.some(({ refusal }) => refusal)) globalThis.process.exitCode = 1
}

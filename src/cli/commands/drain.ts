/** `takespace drain`: lets processes take nothing new, and waits until nothing is left with them. */
import type { Command } from 'commander'
import { monotonicMs } from '../../clock.js'
import { processesIn } from '../../control/processes.js'
import type { Space } from '../../space.js'
import { print } from './nodes.js'
import { openOperated } from './operated.js'
import { auditedOrder, give, meant, type Obeyed, type OrderFlags, printObeyed } from './order.js'

interface Flags extends OrderFlags {
  readonly undo?: true
  readonly stop?: true
  readonly waitMs: number
}

const LOOK_MS = 200

export async function drain(process: string | undefined, flags: Flags, command: Command): Promise<void> {
  await using space = await openOperated(command, flags)
  const found = (await meant(space, process, flags, command)).filter(({ roles }) => roles.some(canDrain))
  if (found.length === 0) throw new Error('none of them takes requests: only gateways and workers are drained')
  const verb = flags.undo ? 'resume' : 'drain'
  const obeyed = await auditedOrder(space, verb, found, (each) => give(space, each, verb))
  printObeyed(obeyed, flags)
  if (flags.undo) return
  const drained = obeyed.filter(({ refusal }) => !refusal)
  const left = await untilDrained(space, drained, flags.waitMs)
  const total = left.reduce((sum, { held }) => sum + held, 0)
  if (flags.json) print([JSON.stringify({ left: total, processes: left.map(({ process }) => process) })])
  else print([total === 0 ? 'nothing is left' : `${total} requests are left with ${left.length} processes`])
  if (left.length > 0) globalThis.process.exitCode = 1
  if (!flags.stop) return
  const done = found.filter(({ process }) => drained.some((each) => each.process === process))
  const empty = done.filter(({ process }) => !left.some((each) => each.process === process))
  if (empty.length > 0)
    printObeyed(await auditedOrder(space, 'stop', empty, (each) => give(space, each, 'stop')), flags)
}

const canDrain = (role: string): boolean => role === 'gateway' || role === 'worker'

/** Returns the processes with which something is left at the end of the wait. */
async function untilDrained(
  space: Space,
  drained: readonly Obeyed[],
  waitMs: number,
): Promise<{ process: string; held: number }[]> {
  const until = monotonicMs() + waitMs
  const names = new Set(drained.map(({ process }) => process))
  for (;;) {
    const reports = await processesIn(space)
    const left = reports.filter(({ process, state }) => names.has(process) && state !== 'drained')
    if (left.length === 0 || monotonicMs() >= until) return left
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}

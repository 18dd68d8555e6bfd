/** `takespace drain`: lets processes take nothing new, and waits until nothing is left with them. */
import type { Command } from 'commander'
import { monotonicMs } from '../../clock.js'
import { canDrain, type Left, leftWith, leftWords } from '../../control/drains.js'
import { processesIn } from '../../control/processes.js'
import type { Space } from '../../space.js'
import { print } from './nodes.js'
import { openOperated } from './operated.js'
import { auditedOrder, meant, type OrderFlags, printObeyed } from './order.js'

interface Flags extends OrderFlags {
  readonly undo?: true
  readonly stop?: true
  readonly waitMs: number
}

const LOOK_MS = 200

export async function drain(process: string | undefined, flags: Flags, command: Command): Promise<void> {
  await using space = await openOperated(command, flags)
  const found = (await meant(space, process, flags, command)).filter(canDrain)
  if (found.length === 0) throw new Error('none of them takes requests: only gateways and workers are drained')
  const verb = flags.undo ? 'resume' : 'drain'
  const obeyed = await auditedOrder(space, verb, found)
  printObeyed(obeyed, flags)
  if (flags.undo) return
  const drained = obeyed.filter(({ refusal }) => !refusal)
  const left = await untilDrained(space, new Set(drained.map(({ process }) => process)), flags.waitMs)
  const names = left.processes.map(({ process }) => process)
  print([flags.json ? JSON.stringify({ left: left.requests, processes: names }) : leftWords(left)])
  if (names.length > 0) globalThis.process.exitCode = 1
  if (!flags.stop) return
  const done = found.filter(({ process }) => drained.some((each) => each.process === process))
  const empty = done.filter(({ process }) => !names.includes(process))
  if (empty.length > 0) printObeyed(await auditedOrder(space, 'stop', empty), flags)
}

/** Returns what is left at the end of the wait. */
async function untilDrained(space: Space, names: ReadonlySet<string>, waitMs: number): Promise<Left> {
  const until = monotonicMs() + waitMs
  for (;;) {
    const left = leftWith(await processesIn(space), names)
    if (left.processes.length === 0 || monotonicMs() >= until) return left
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}

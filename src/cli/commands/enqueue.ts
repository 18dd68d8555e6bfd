/** `takespace enqueue`: has a task done, now or later, and shows its result. */
import type { Command } from 'commander'
import { createClient } from '../../client.js'
import { SpaceError } from '../../errors.js'
import { openSpace } from '../../open.js'
import type { EnqueueOptions } from '../../tasks/enqueue.js'
import { failureOf } from '../../tasks/failure.js'
import type { Ticket } from '../../tasks/ticket.js'
import { describe } from '../failure.js'
import { sharedNextUrl, sharedUrl } from '../settings/shared-url.js'

interface Flags {
  readonly url?: string
  readonly nextUrl?: string
  readonly name: string
  readonly service: string
  readonly wait?: true
  readonly delay?: number
  readonly attempts: number
  readonly backoff?: number
  readonly priority: number
  readonly key?: string
  readonly json?: true
}

/** The exit code of a failed task. */
const EXIT_FAILED = 1

export async function enqueueCommand(task: string, input: unknown, flags: Flags, command: Command): Promise<void> {
  const { name, service, delay, attempts, backoff, priority, key, wait, json } = flags
  const space = await openSpace(sharedUrl(command, flags.url), { name, nextUrl: sharedNextUrl(command, flags.nextUrl) })
  try {
    const options: EnqueueOptions = {
      attempts,
      priority,
      ...(delay === undefined ? {} : { delayMs: delay }),
      ...(backoff === undefined ? {} : { backoff: { kind: 'exponential', delayMs: backoff } }),
      ...(key === undefined ? {} : { idempotencyKey: key }),
    }
    const ticket = await createClient({ space, service }).enqueue(task, input, options)
    if (wait) await show(ticket, json)
    else process.stdout.write(json ? `${JSON.stringify({ ticket: ticket.id })}\n` : `${ticket.id}\n`)
  } finally {
    await space.close()
  }
}

async function show(ticket: Ticket, json: true | undefined): Promise<void> {
  const isTerminal = process.stderr.isTTY === true
  const line = (text: string): void => {
    if (isTerminal) process.stderr.write(`\r\x1b[2K${text.slice(0, (process.stderr.columns || 80) - 1)}`)
  }
  const heard = await ticket.onProgress((progress) => line(printed(progress)))
  const { state, progress } = await ticket.status()
  if (progress !== undefined) line(printed(progress))
  else if (state === 'scheduled' || state === 'waiting') line(`${state} …`)
  try {
    const result = await ticket.result()
    line('')
    process.stdout.write(
      json ? `${JSON.stringify({ ticket: ticket.id, result: jsonOf(result) })}\n` : `${printed(result)}\n`,
    )
  } catch (error) {
    line('')
    const cause = error instanceof SpaceError && error.code === 'TASK_FAILED' ? error.cause : error
    if (json) process.stdout.write(`${JSON.stringify({ ticket: ticket.id, error: failureOf(cause) })}\n`)
    else process.stderr.write(`takespace: ${describe(error)}\n`)
    process.exitCode = EXIT_FAILED
  } finally {
    await heard()
  }
}

const jsonOf = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_name, each) => (typeof each === 'bigint' ? String(each) : each)) ?? 'null')

const printed = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(jsonOf(value)))

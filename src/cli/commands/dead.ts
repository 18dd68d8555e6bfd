/** `takespace dead`: lists dead letters, shows one, enqueues it again, or drops it. */
import type { Command } from 'commander'
import { audited, commandOperator } from '../../control/audit.js'
import { observeSpace, openSpace } from '../../open.js'
import { shownRequest } from '../../request/shown.js'
import type { Listable } from '../../space/listing.js'
import type { Space } from '../../space.js'
import type { DeadLetter } from '../../tasks/dead-letter.js'
import { decodeCall } from '../../tasks/message.js'
import { deadLetters, dropDeadLetter, findDeadLetter, requeueDeadLetter } from '../../tasks/requeue.js'
import { sharedNextUrl, sharedUrl } from '../settings/shared-url.js'

interface Flags {
  readonly url?: string
  readonly nextUrl?: string
  readonly name: string
  readonly max: number
  readonly json?: true
  readonly all?: true
  readonly reason?: string
  readonly service?: string
  readonly task?: string
}

/** The exit code if there is no such dead letter. */
const EXIT_NOTHING = 1

/** `ids` is [] for `ls`. */
export async function dead(
  verb: 'ls' | 'show' | 'requeue' | 'drop',
  ids: readonly string[],
  command: Command,
): Promise<void> {
  const flags = command.opts<Flags>()
  const url = sharedUrl(command, flags.url)
  // Listings need a user who may only read.
  if (verb === 'ls' || verb === 'show') {
    await using space = await observeSpace(url, flags.name)
    return await (verb === 'ls' ? listDeadLetters(space, flags) : each(ids, (id) => show(space, id, flags)))
  }
  const isChosen = flags.all || [flags.reason, flags.service, flags.task].some((each) => each !== undefined)
  if (isChosen === ids.length > 0)
    command.error('error: name dead letters, or choose: --reason, --service, --task, --all.')
  await using space = await openSpace(url, { name: flags.name, nextUrl: sharedNextUrl(command, flags.nextUrl) })
  const chosen = isChosen ? await chosenIds(space, flags) : ids
  const { reason, service, task } = flags
  const target = isChosen ? `those of ${JSON.stringify({ reason, service, task })}` : chosen.join(' ')
  const what = { ...commandOperator(), act: `dead.${verb}`, target, count: chosen.length }
  await audited(space, what, () =>
    each(chosen, (id) => (verb === 'requeue' ? requeue(space, id, flags) : drop(space, id))),
  )
  if (!isChosen) return
  const done = verb === 'requeue' ? 'enqueued again' : 'removed'
  process.stdout.write(flags.json ? `${JSON.stringify({ chosen: chosen.length })}\n` : `${chosen.length} ${done}\n`)
}

/** All of them are read before the first is handled: requeued ones may fail again at once. */
async function chosenIds(space: Listable, { max, reason, service, task }: Flags): Promise<string[]> {
  const ids: string[] = []
  for await (const [letter] of deadLetters(space)) {
    if (reason !== undefined && letter.reason !== reason) continue
    if (service !== undefined && letter.service !== service) continue
    if (task !== undefined && letter.task !== task) continue
    ids.push(letter.id)
    if (ids.length === max) break
  }
  return ids
}

async function each(ids: readonly string[], act: (id: string) => Promise<void>): Promise<void> {
  for (const id of ids) await act(id)
}

async function listDeadLetters(space: Listable, { max, json }: Flags): Promise<void> {
  let left = max
  for await (const [deadLetter] of deadLetters(space)) {
    process.stdout.write(json ? `${JSON.stringify(plainDeadLetter(deadLetter))}\n` : lineOf(deadLetter))
    if (--left === 0) return
  }
}

/** Returns a dead letter without headers and bodies, which may hold secrets. */
function plainDeadLetter({
  id,
  reason,
  kind,
  attempts,
  writtenAt,
  service,
  task,
  error,
  request,
}: DeadLetter): Record<string, unknown> {
  const { method, path } = task === undefined && request ? shownRequest(request) : {}
  return { id, reason, kind, attempts, writtenAt, service, task, method, path, error }
}

function lineOf(deadLetter: DeadLetter): string {
  const { id, reason, kind, attempts, writtenAt, task, method, path, error } = plainDeadLetter(deadLetter)
  const what = task ?? (path ? `${method} ${path}` : kind)
  const why = error ? `  ${deadLetter.error!.name}: ${deadLetter.error!.message}` : ''
  const line = `${new Date(Number(writtenAt)).toISOString()}  ${id}  ${what}  ${reason}, attempts: ${attempts}${why}`
  return `${line.replace(/\s*\n\s*/g, ' ')}\n`
}

async function show(space: Listable, id: string, { json }: Flags): Promise<void> {
  const found = await findDeadLetter(space, id)
  if (!found) return nothing(id)
  const [deadLetter] = found
  const told = { ...plainDeadLetter(deadLetter), ...inputOf(deadLetter) }
  process.stdout.write(json ? `${JSON.stringify(told, asJson)}\n` : `${JSON.stringify(told, asJson, 2)}\n`)
}

/** Returns the input of a task, which is needed to understand its failure. */
function inputOf({ task, request }: DeadLetter): object {
  if (task === undefined || !request) return {}
  try {
    return { input: decodeCall({ ...request, headers: [] }).input }
  } catch {
    return {}
  }
}

const asJson = (_name: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value)

async function requeue(space: Space, id: string, { json }: Flags): Promise<void> {
  if (!(await findDeadLetter(space, id))) return nothing(id)
  const ticket = await requeueDeadLetter(space, id)
  if (json) process.stdout.write(`${JSON.stringify({ id, ticket: ticket || null })}\n`)
  else
    process.stdout.write(
      ticket ? `${id} is enqueued again, its ticket is ${ticket}\n` : `${id} is in the space again\n`,
    )
}

async function drop(space: Space, id: string): Promise<void> {
  if (!(await dropDeadLetter(space, id))) nothing(id)
}

function nothing(id: string): void {
  process.stderr.write(`takespace: There is no dead letter ${id}.\n`)
  process.exitCode = EXIT_NOTHING
}

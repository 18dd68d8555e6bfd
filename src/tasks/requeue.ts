/** Dead letters are enqueued again, or dropped. */
import { wallMs } from '../clock.js'
import type { EncodedEntry, EncodedTemplate, Listed } from '../engine.js'
import { ALL_DEAD_LETTERS, deadLetterTemplate } from '../entry/dead-letter.js'
import { readSignature } from '../entry/signature.js'
import { SpaceError } from '../errors.js'
import { REQUEST, requestEntry, TASK } from '../request.js'
import type { Listable } from '../space/listing.js'
import type { Space } from '../space.js'
import { type DeadLetter, deadLetterOf } from './dead-letter.js'
import { DAY_MS, digestOf, type LaterTask, openTicket } from './enqueue.js'
import { OPTIONS_FIELD, unfailed } from './failed-task.js'
import { decodeCall } from './message.js'

const PAGE = 50
const MOST_TICKET_BYTES = 1 << 30

/** Yields all dead letters, oldest first; malformed ones are left out. */
export async function* deadLetters(
  space: Listable,
  template: EncodedTemplate = ALL_DEAD_LETTERS,
): AsyncGenerator<[DeadLetter, Listed]> {
  for (let after: string | null = null; ; ) {
    const { entries, next } = await space.engine.list(template, after, PAGE)
    for (const entry of entries) {
      const deadLetter = deadLetterIn(entry)
      if (deadLetter) yield [deadLetter, entry]
    }
    if (next === null) return
    after = next
  }
}

/** The reasons of dead letters whose contents are lost. */
const UNREADABLE = new Set(['damaged', 'bodiless'])

function deadLetterIn(entry: Listed): DeadLetter | undefined {
  try {
    return deadLetterOf(entry)
  } catch {
    return undefined
  }
}

/** Returns undefined if there is no dead letter of this id. */
export async function findDeadLetter(space: Listable, id: string): Promise<[DeadLetter, Listed] | undefined> {
  for await (const found of deadLetters(space, deadLetterTemplate(id))) return found
  return undefined
}

/** Returns false if there is no such dead letter. */
export const dropDeadLetter = async (space: Space, id: string): Promise<boolean> =>
  (await findDeadLetter(space, id)) !== undefined && space.engine.cancel(id)

/**
 * Restores a dead letter: a task with all its attempts, a request whose answer is stored, an entry. A second call has
 * no further effect.
 *
 * @returns the ticket of a task or request; '' for an entry
 * @throws SpaceError LEASE_UNKNOWN: there is no such dead letter; DATA_DAMAGED: it is damaged
 */
export async function requeueDeadLetter(space: Space, id: string): Promise<string> {
  const found = await findDeadLetter(space, id)
  if (!found) throw new SpaceError('LEASE_UNKNOWN', `There is no dead letter ${id}.`)
  if (UNREADABLE.has(found[0].reason)) throw new SpaceError('DATA_DAMAGED', `Dead letter ${id} cannot be restored.`)
  const [deadLetter, listed] = found
  if (deadLetter.kind !== TASK && deadLetter.kind !== REQUEST) return rewrite(space, listed)
  const ticket = `k${digestOf(['requeue', id])}`
  const { service = 'web', request } = deadLetter
  const terms = { id: ticket, fingerprint: 'requeued', keptMs: DAY_MS, maxBytes: MOST_TICKET_BYTES }
  if (deadLetter.kind === TASK && request) {
    const call = unfailed(request)
    const { task, input } = decodeCall({ ...call, headers: [] })
    const wanted = { ...retriesIn(call.headers), service, task, input, ticket, dueAt: wallMs(), leaseMs: DAY_MS }
    await openTicket(space, terms, wanted as LaterTask)
  } else if (request) {
    const outgoing = { service, timeoutMs: DAY_MS, priority: listed.priority, repeatable: true }
    const encodedEntry = requestEntry(`${ticket}.${space.newId()}`, request, outgoing)
    await space.engine.tickets.open({ ...terms, leaseMs: 2 * DAY_MS }, encodedEntry)
  }
  await space.engine.cancel(id)
  return ticket
}

const DEFAULTS = { attempts: 1, priority: 0, timeoutMs: DAY_MS, repeatable: true }

/** Returns the options with which a task was enqueued. */
function retriesIn(headers: readonly string[]): Omit<typeof DEFAULTS, never> {
  const at = headers.indexOf(OPTIONS_FIELD)
  try {
    return at < 0 ? DEFAULTS : { ...DEFAULTS, ...JSON.parse(headers[at + 1] ?? '') }
  } catch {
    return DEFAULTS
  }
}

/** Writes the original entry, under its own signature. */
async function rewrite(space: Space, { id, body, priority }: Listed): Promise<string> {
  const end = body.indexOf('\n')
  const head = body.toString('utf8', 0, end)
  const was = readSignature(head.slice(head.indexOf('|')))
  const encodedEntry: EncodedEntry = {
    ...was,
    id: space.newId(),
    body: body.subarray(end + 1),
    leaseMs: DAY_MS,
    priority,
  }
  await space.transact(async (tx) => {
    const taken = await space.engine.find({ template: deadLetterTemplate(id), take: true, waitMs: 0, tx: tx.id })
    if (!taken) throw new SpaceError('LEASE_UNKNOWN', `There is no dead letter ${id}.`)
    await space.engine.write([encodedEntry], tx.id)
  })
  return ''
}

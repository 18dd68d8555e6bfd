/** What the routes of the dashboard show: each function answers one GET. */
import { auditTrail } from '../control/audit.js'
import { requestsIn } from '../control/requests.js'
import { transactionsIn } from '../control/transactions.js'
import { ticketOf } from '../engine/tickets.js'
import { DEAD_LETTER, OWN_KINDS } from '../engine.js'
import { decodeFields } from '../entry/codec.js'
import { Template } from '../entry/template.js'
import { kindNamed } from '../entry/token.js'
import { freeEntries } from '../space/listing.js'
import { findDeadLetter } from '../tasks/requeue.js'
import { schedules } from '../tasks/schedule.js'
import { ticketNamed } from '../tasks/ticket.js'
import type { Desk, RouteCall } from './call.js'
import { finishedTickets } from './finished-tickets.js'
import { SPANS, type Span } from './history.js'
import { type LetterChoice, letterGroups, letterPage, shownLetter } from './letters.js'
import { Refused } from './refusal.js'
import { ALL_RIGHTS, RIGHTS } from './rights.js'
import { PAGE_ROWS } from './searches.js'
import { shownFields } from './shown-fields.js'

/** How long a scheduler may take to answer: one runs, or there are no schedules. */
export const SCHEDULER_MS = 2_000
/** Points of the small charts: five minutes. */
const SPARK_POINTS = 60
const LONGEST_FIELDS = 2_048

const missing = (what: string): Refused => new Refused(404, 'missing', `${what} is not there any more.`)

/** Returns who the user is, and what the page needs to draw itself. */
export function meOf({ desk, user, rights }: RouteCall) {
  const { terms, space, logins } = desk
  return {
    user: user.name,
    rights: ALL_RIGHTS.filter((right) => rights.has(right)),
    meanings: RIGHTS,
    readOnly: terms.readOnly,
    hasLogin: logins.hasPasswords,
    environment: terms.environment,
    space: space.name,
  }
}

/** Returns all that watchers are told, at once. */
export function wholeOf({ sampler, jobs }: Desk) {
  const { link, last, processes, history } = sampler
  return {
    isWhole: true,
    link,
    state: last && { ...last, processes: [] },
    changed: processes.all,
    gone: [],
    sparks: history.latest(SPARK_POINTS),
    job: jobs.last,
  }
}

/** Returns what has changed since the last sample. */
export function changesOf({ sampler, jobs }: Desk) {
  const { link, last, processes } = sampler
  return {
    isWhole: false,
    link,
    state: last && { ...last, processes: [] },
    ...processes.changes(),
    job: jobs.last,
  }
}

export function historyOf({ desk, query }: RouteCall) {
  const span = query.get('span') ?? 'hour'
  if (!Object.hasOwn(SPANS, span)) throw new Refused(400, 'query', 'span is hour or day.')
  return desk.sampler.history.of(span as Span, query.get('service') ?? undefined)
}

export async function servicesOf({ desk }: RouteCall) {
  const { services, pauses } = await desk.sampler.state()
  return { services, pauses, sparks: desk.sampler.history.latest(SPARK_POINTS) }
}

export async function processOf({ desk, params }: RouteCall) {
  await desk.sampler.state()
  const report = desk.sampler.processes.named(params.process!)
  if (!report) throw missing(`The process ${params.process}`)
  return report
}

export async function requestsOf({ desk, query, user }: RouteCall) {
  const [service, id] = [query.get('service') ?? undefined, query.get('id') ?? undefined]
  const state = await desk.sampler.state()
  const most = id === undefined ? PAGE_ROWS : 20 * PAGE_ROWS
  const seen = await desk.searches.run(user.name, () => requestsIn(desk.space, state, service, most))
  const found = id === undefined ? seen : seen.filter((each) => each.id.startsWith(id))
  return { requests: found.slice(0, 4 * PAGE_ROWS), isWhole: found.length < PAGE_ROWS }
}

/** Returns the tasks that run and that wait, each with the state of its ticket. */
export async function tasksOf({ desk, user }: RouteCall) {
  const state = await desk.sampler.state()
  return desk.searches.run(user.name, async () => {
    const seen = await requestsIn(desk.space, state, undefined, 4 * PAGE_ROWS)
    const tasks = seen.filter(({ method }) => method === 'TASK').slice(0, PAGE_ROWS)
    const shown = tasks.map(async (task) => {
      const ticket = ticketOf(task.id)
      return { ...task, ticket, status: ticket ? await statusOf(desk, ticket).catch(() => null) : null }
    })
    return { tasks: await Promise.all(shown), isWhole: seen.length < 4 * PAGE_ROWS }
  })
}

async function statusOf({ space }: Desk, id: string) {
  const { state, attempt, progress, error, dueAt } = await ticketNamed(space, id).status()
  const told = progress === undefined ? '' : shownFields({ progress }, true)[0]!.text
  return {
    state,
    attempt,
    progress: told,
    error: error ? `${error.name}: ${error.message}` : '',
    dueAt: dueAt?.getTime(),
  }
}

export async function ticketOfCall({ desk, params }: RouteCall) {
  return { id: params.id, ...(await statusOf(desk, params.id!)) }
}

export const finishedOf = ({ desk, user }: RouteCall) =>
  desk.searches.run(user.name, (search) => finishedTickets(desk.space, search))

export async function schedulesOf({ desk }: RouteCall) {
  const planned = await schedules(desk.space, { callTimeoutMs: SCHEDULER_MS })
  return {
    schedules: planned.map(({ name, task, service, times, next }) => ({ name, task, service, times, next })),
  }
}

/** Returns the choice of dead letters in a query or body. */
export function letterChoice(values: Readonly<Record<string, unknown>>): LetterChoice {
  const names = ['reason', 'service', 'task', 'error'] as const
  return Object.fromEntries(names.flatMap((name) => (typeof values[name] === 'string' ? [[name, values[name]]] : [])))
}

export const letterGroupsOf = ({ desk, user }: RouteCall) =>
  desk.searches.run(user.name, (search) => letterGroups(desk.space, search))

export function lettersOf({ desk, query, user }: RouteCall) {
  const choice = letterChoice(Object.fromEntries(query))
  return desk.searches.run(user.name, (search) => letterPage(desk.space, choice, query.get('after'), search))
}

export async function letterOf({ desk, params }: RouteCall) {
  const found = await findDeadLetter(desk.space, params.id!)
  if (!found) throw missing(`The dead letter ${params.id}`)
  return shownLetter(found[0])
}

export const jobOf = ({ desk }: RouteCall) => ({ job: desk.jobs.last ?? null })

export async function kindsOf({ desk, user }: RouteCall) {
  const kinds = await desk.searches.run(user.name, () => freeEntries(desk.space))
  return { kinds: [...kinds].map(([kind, count]) => ({ kind, count, isOurs: kind.startsWith(OWN_KINDS) })) }
}

/** Returns a page of the entries of a kind that match; of takespace's own kinds without their fields. */
export async function entriesOf({ desk, query, user }: RouteCall) {
  const kind = query.get('kind') ?? ''
  const text = query.get('fields') || '{}'
  if (text.length > LONGEST_FIELDS) throw new Refused(400, 'query', `fields have at most ${LONGEST_FIELDS} characters.`)
  const { encoded } = templateFrom(kind, text)
  return desk.searches.run(user.name, async () => {
    const { entries, next } = await desk.space.engine.list(encoded, query.get('after'), PAGE_ROWS)
    return { entries: entries.map((entry) => shownEntry(desk, entry, false)), next }
  })
}

function templateFrom(kind: string, text: string): Template<object> {
  try {
    // No field counts as indexed: the root kind, under which fields are indexed, is not known.
    return new Template({ kind, parent: undefined, index: [] }, decodeFields(Buffer.from(text)))
  } catch (error) {
    throw new Refused(400, 'query', `fields are one JSON object of values: ${(error as Error).message}`)
  }
}

type ListedEntry = Awaited<ReturnType<Desk['space']['engine']['list']>>['entries'][number]

/** Returns an entry as the page shows it. */
export function shownEntry({ terms }: Desk, entry: ListedEntry, isWhole: boolean) {
  const { id, priority, writtenAt, remainingMs, kinds } = entry
  const kind = kindNamed(kinds[0]!)
  const isOurs = kind.startsWith(OWN_KINDS) || kind === DEAD_LETTER
  const info = { id, kind, priority, writtenAt, leaseMs: Number.isFinite(remainingMs) ? remainingMs : null, isOurs }
  if (isOurs) return { ...info, fields: [] }
  try {
    return {
      ...info,
      fields: shownFields(terms.redact({ kind, id, fields: { ...decodeFields(entry.body) } }), isWhole),
    }
  } catch {
    return { ...info, fields: [], isDamaged: true }
  }
}

export async function transactionsOf({ desk, user }: RouteCall) {
  const { processes } = await desk.sampler.state()
  const list = () => transactionsIn(desk.space, processes, PAGE_ROWS)
  return { transactions: await desk.searches.run(user.name, list) }
}

export async function auditOf({ desk, query, user }: RouteCall) {
  const first = Number(query.get('after') ?? 0)
  const all = await desk.searches.run(user.name, () => auditTrail(desk.space))
  const next = all.length > first + PAGE_ROWS ? String(first + PAGE_ROWS) : null
  return { acts: all.slice(first, first + PAGE_ROWS), next, total: all.length }
}

/** What users of the dashboard do: each function answers one POST, and is audited before it acts. */
import { type OrderName, orderAll, orderTarget } from '../control/order-all.js'
import { pauseWork, resumeWork } from '../control/pauses.js'
import { abortTransaction } from '../control/transactions.js'
import { withdrawRequest } from '../control/withdraw.js'
import { OWN_KINDS } from '../engine.js'
import { decodeFields } from '../entry/codec.js'
import { Template } from '../entry/template.js'
import { listEntries } from '../space/listing.js'
import { decodeCall } from '../tasks/message.js'
import { findDeadLetter } from '../tasks/requeue.js'
import { runSchedule, schedules, unschedule } from '../tasks/schedule.js'
import { ticketNamed } from '../tasks/ticket.js'
import { act, checkConfirmed, numberIn, type RouteCall, textIn, textsIn } from './call.js'
import { exportedLetters, MOST_EXPORTED } from './letter-export.js'
import type { LetterAct } from './letter-jobs.js'
import { chosenLetterIds } from './letters.js'
import { letterChoice, SCHEDULER_MS, shownEntry } from './reads.js'
import { changed, Refused } from './refusal.js'
import { PAGE_ROWS } from './searches.js'
import { type ShownField, shownFields } from './shown-fields.js'

/** One act reaches at most so many. */
const MOST_AT_ONCE = 1_000
/** Entries that are looked through for one. */
const MOST_LOOKED = 10_000

const gone = (what: string): Refused => new Refused(409, 'changed', `${what} is not there any more.`)

const workOf = (body: RouteCall['body']): 'service' | 'task' => {
  if (body.what === 'service' || body.what === 'task') return body.what
  throw new Refused(400, 'body', 'what is service or task.')
}

export function pauseAct(call: RouteCall) {
  const { desk, body, user } = call
  const [what, name, refuses] = [workOf(body), textIn(body, 'name', 255), body.refuses === true]
  return act(call, 'pause', `${what} ${name}${refuses ? ', refused' : ''}`, 1, async () => ({
    changed: await pauseWork(desk.space, what, name, { refuses, by: user.name }),
  }))
}

export function resumeAct(call: RouteCall) {
  const { desk, body } = call
  const [what, name] = [workOf(body), textIn(body, 'name', 255)]
  return act(call, 'resume', `${what} ${name}`, 1, async () => {
    if (!(await resumeWork(desk.space, what, name))) throw gone(`The pause of ${name}`)
    return { changed: true }
  })
}

const ORDERS: ReadonlySet<string> = new Set<OrderName>(['drain', 'resume', 'stop', 'recall', 'suspend'])

/** An order for processes that are named as they were seen, with their releases: another of that name is not meant. */
export async function orderAct(call: RouteCall) {
  const { desk, body, user } = call
  const verb = textIn(body, 'order', 20)
  if (!ORDERS.has(verb)) throw new Refused(400, 'body', `order is one of ${[...ORDERS].join(', ')}.`)
  const names = textsIn(body, 'processes', MOST_AT_ONCE)
  const seen = Object(body.seen) as Record<string, unknown>
  await desk.sampler.state()
  const { processes } = desk.sampler
  const meant = names.flatMap((name) => processes.named(name) ?? [])
  if (meant.length < names.length) throw changed('The choice of processes', { processes: meant.length })
  const other = meant.find(({ process, release }) => Object.hasOwn(seen, process) && seen[process] !== release)
  if (other) throw changed(`The process ${other.process}`, { release: other.release })
  if (verb === 'stop') checkConfirmed(body, String(meant.length))
  return act(call, `processes.${verb}`, orderTarget(meant), meant.length, async () => {
    const obeyed = await orderAll(desk.space, verb as OrderName, meant, { by: user.name })
    return { obeyed: obeyed.map(({ process, refusal }) => ({ process, refusal })) }
  })
}

export async function withdrawAct(call: RouteCall) {
  const { desk, body } = call
  const id = textIn(body, 'id', 100)
  checkConfirmed(body, id)
  const state = await desk.sampler.state()
  return act(call, 'requests.withdraw', id, 1, async () => {
    if (!(await withdrawRequest(desk.space, id, state))) throw gone(`The request ${id}`)
    return { done: true }
  })
}

export function abortTransactionAct(call: RouteCall) {
  const id = textIn(call.body, 'id', 200)
  checkConfirmed(call.body, id)
  return act(call, 'transactions.abort', id, 1, async () => {
    if (!(await abortTransaction(call.desk.space, id))) throw gone(`The transaction ${id}`)
    return { done: true }
  })
}

export function cancelTicketAct(call: RouteCall) {
  const { desk, body } = call
  const id = textIn(body, 'id', 100)
  checkConfirmed(body, id)
  return act(call, 'tasks.cancel', id, 1, async () => {
    if (!(await ticketNamed(desk.space, id).cancel())) throw gone(`The ticket ${id}, or its task,`)
    return { done: true }
  })
}

export function ticketResultAct(call: RouteCall) {
  const id = textIn(call.body, 'id', 100)
  return act(call, 'bodies.ticket', id, 1, async () => {
    const result = await ticketNamed(call.desk.space, id).result({ waitMs: 0 })
    return { fields: shownFields({ result }, true) }
  })
}

/** A schedule that was seen is due when it was; otherwise it has changed, or has run. */
async function checkSchedule({ desk, body }: RouteCall, name: string): Promise<void> {
  const planned = await schedules(desk.space, { callTimeoutMs: SCHEDULER_MS })
  const own = planned.find((each) => each.name === name)
  if (!own) throw gone(`The schedule ${name}`)
  if (own.next !== numberIn(body, 'seen')) throw changed(`The schedule ${name}`, { next: own.next })
}

export async function runScheduleAct(call: RouteCall) {
  const name = textIn(call.body, 'name', 100)
  await checkSchedule(call, name)
  return act(call, 'schedules.run', name, 1, async () => ({
    done: await runSchedule(call.desk.space, name, { callTimeoutMs: SCHEDULER_MS }),
  }))
}

export async function removeScheduleAct(call: RouteCall) {
  const name = textIn(call.body, 'name', 100)
  checkConfirmed(call.body, name)
  await checkSchedule(call, name)
  return act(call, 'schedules.remove', name, 1, async () => ({
    done: await unschedule(call.desk.space, name, { callTimeoutMs: SCHEDULER_MS }),
  }))
}

/** Acts on the letters that are named, or on those that match, if they are as many as the user saw. */
const lettersAct = (verb: LetterAct) => async (call: RouteCall) => {
  const { desk, body } = call
  const isNamed = Array.isArray(body.ids)
  const choice = letterChoice(Object(body.match))
  const ids = isNamed ? textsIn(body, 'ids', PAGE_ROWS) : await chosenLetterIds(desk.space, choice, MOST_AT_ONCE)
  const seen = isNamed ? ids.length : Math.min(numberIn(body, 'seen'), MOST_AT_ONCE)
  if (ids.length !== seen) throw changed('The number of these dead letters', { count: ids.length })
  if (verb === 'drop') checkConfirmed(body, String(ids.length))
  const target = isNamed ? ids.join(' ') : `those of ${JSON.stringify(choice)}`
  return act(call, `dead.${verb}`, target, ids.length, () => desk.jobs.run(verb, ids))
}

export const requeueAct = lettersAct('requeue')
export const dropAct = lettersAct('drop')

/** The lines follow after the audit: an export changes nothing. */
export async function exportAct(call: RouteCall) {
  const { desk, body, rights } = call
  const [choice, hasBodies] = [letterChoice(Object(body.match)), body.bodies === true]
  if (hasBodies && !rights.has('bodies'))
    throw new Refused(403, 'right', 'Bodies need the right bodies.', { right: 'bodies' })
  const { length: count } = await chosenLetterIds(desk.space, choice, MOST_EXPORTED)
  const target = `those of ${JSON.stringify(choice)}${hasBodies ? ', with bodies' : ''}`
  return act(call, 'dead.export', target, count, async () => {
    const lines = exportedLetters(desk.space, choice, MOST_EXPORTED, hasBodies)
    const headers = { 'Content-Type': 'application/x-ndjson', 'Cache-Control': 'no-store' }
    return new Response(streamOf(lines), { headers })
  })
}

/** The next line is read when the browser has taken the ones before. */
function streamOf(lines: AsyncGenerator<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await lines.next()
      if (done) controller.close()
      else controller.enqueue(encoder.encode(value))
    },
    async cancel() {
      await lines.return(undefined)
    },
  })
}

export const stopJobAct = (call: RouteCall) =>
  act(call, 'dead.stop', 'the act on dead letters', 1, async () => ({ stopped: call.desk.jobs.stop() }))

export function letterBodyAct(call: RouteCall) {
  const id = textIn(call.body, 'id', 100)
  return act(call, 'bodies.dead', id, 1, async (): Promise<{ fields: ShownField[] }> => {
    const found = await findDeadLetter(call.desk.space, id)
    if (!found) throw gone(`The dead letter ${id}`)
    const [{ task, request }, { body }] = found
    if (task !== undefined && request) {
      const { input } = decodeCall({ ...request, headers: [] })
      return { fields: shownFields({ input }, true) }
    }
    if (request) return { fields: shownFields({ body: request.body.toString('utf8') }, true) }
    const start = body.indexOf('\n') + 1
    return { fields: shownFields(decodeFields(body.subarray(start)), true) }
  })
}

/** Returns an entry that was listed. */
async function entryOfCall({ desk, body }: RouteCall) {
  const [kind, id] = [textIn(body, 'kind', 100), textIn(body, 'id', 100)]
  if (kind.startsWith(OWN_KINDS)) throw new Refused(400, 'body', `Entries of ${OWN_KINDS}… have pages of their own.`)
  const { encoded } = new Template({ kind, parent: undefined, index: [] }, {})
  for await (const entry of listEntries(desk.space, encoded, MOST_LOOKED)) if (entry.id === id) return entry
  throw gone(`The entry ${id}`)
}

export async function takeEntryAct(call: RouteCall) {
  checkConfirmed(call.body, textIn(call.body, 'id', 100))
  const { id } = await entryOfCall(call)
  return act(call, 'entries.take', `${call.body.kind} ${id}`, 1, async () => {
    if (!(await call.desk.space.engine.cancel(id))) throw gone(`The entry ${id}`)
    return { done: true }
  })
}

export async function entryBodyAct(call: RouteCall) {
  const entry = await entryOfCall(call)
  return act(call, 'bodies.entry', `${call.body.kind} ${entry.id}`, 1, async () => shownEntry(call.desk, entry, true))
}

/** Tickets with an outcome as the dashboard lists them: those that a search of at most 2 s meets, the newest first. */
import { COMPLETED, type SettledPage } from '../engine/tickets.js'
import type { Stored } from '../engine.js'
import type { Space } from '../space.js'
import { isTaskOutcome } from '../tasks/message.js'
import { answerIn } from '../tasks/outcome.js'
import { settledIn } from '../tasks/ticket.js'
import type { Search } from './searches.js'

export interface FinishedTicket {
  readonly id: string
  /** `response`: of a request with an Idempotency-Key. */
  readonly what: 'task' | 'response'
  /** `completed`, `failed`, `cancelled`, or the status of a response. */
  readonly state: string
  readonly attempt: number
  readonly error: string
  /** When it was opened: ms since 1970. */
  readonly openedAt: number
  /** How long its outcome is kept, in ms. */
  readonly keptMs: number
}

/** More are not shown. */
const MOST_FINISHED = 200

/** Returns the tickets; `isWhole` is false if there are more, or there was no time for all entries. */
export async function finishedTickets(space: Space, search: Search) {
  let newest: Stored[] = []
  let isWhole = true
  let next: SettledPage['next'] = ''
  while (next !== null && !search.isOver()) {
    const page: SettledPage = await space.engine.tickets.settled(next)
    next = page.next
    if (page.tickets.length === 0) continue
    // A page may have some of the one before.
    const all = [...new Map([...newest, ...page.tickets].map((each) => [each.id, each])).values()]
    newest = all.sort((a, b) => b.writtenAt - a.writtenAt).slice(0, MOST_FINISHED)
    isWhole &&= all.length === newest.length
  }
  return { tickets: newest.map(shown), isWhole: isWhole && next === null }
}

function shown(result: Stored): FinishedTicket {
  const { id, writtenAt: openedAt, remainingMs: keptMs } = result
  const terms = { id, openedAt, keptMs }
  const status = responseIn(result)
  if (status !== undefined) return { ...terms, what: 'response', state: String(status), attempt: 1, error: '' }
  // The body of a large outcome is left out.
  if (result.body.length === 0 && result.kinds[0] === COMPLETED)
    return { ...terms, what: 'task', state: 'completed', attempt: 1, error: '' }
  const { state, attempt, error } = settledIn(result)
  return {
    ...terms,
    what: 'task',
    state,
    attempt,
    error: error ? `${error.name}: ${error.message}`.slice(0, LONGEST) : '',
  }
}

const LONGEST = 300

/** Returns the status of a response that is kept for an Idempotency-Key; undefined for the outcome of a task. */
function responseIn(result: Stored): number | undefined {
  try {
    const answer = answerIn(result)
    return isTaskOutcome(answer) ? undefined : answer.status
  } catch {
    return undefined
  }
}

/** The routes of the dashboard, as data: method, path, right, and what each does. Tests walk over the table. */
import * as acts from './acts.js'
import type { RouteCall } from './call.js'
import * as reads from './reads.js'
import type { Right } from './rights.js'

export interface DashboardRoute {
  readonly method: 'GET' | 'POST'
  /** From the mount on; `:name` is a part that the route names. */
  readonly path: string
  /** `all`: also who is not logged in. `view`: every user. Otherwise the right that it needs. */
  readonly right: Right | 'view' | 'all'
  readonly does: string
  /** Returns the JSON of the response, or the response. */
  run(call: RouteCall): unknown
}

const get = (path: string, does: string, run: DashboardRoute['run']): DashboardRoute => ({
  method: 'GET',
  path: `/api/v1/${path}`,
  right: 'view',
  does,
  run,
})

const post = (path: string, right: DashboardRoute['right'], does: string, run: DashboardRoute['run']) => ({
  method: 'POST' as const,
  path: `/api/v1/${path}`,
  right,
  does,
  run,
})

export const ROUTES: readonly DashboardRoute[] = [
  get('me', 'the user and the rights', reads.meOf),
  get('state', 'the state of the space, as on the admin port', ({ desk }) => desk.sampler.state()),
  get('events', 'each sample, as server-sent events', ({ desk, request }) => desk.watchers.open(request.signal)),
  get('history', 'series of the last hour or day', reads.historyOf),
  get('services', 'services and pauses', reads.servicesOf),
  get('processes', 'processes', async ({ desk }) => ({ processes: (await desk.sampler.state()).processes })),
  get('processes/:process', 'one process', reads.processOf),
  get('requests', 'requests that run and that wait, with the reason', reads.requestsOf),
  get('tasks', 'tasks that run and that wait, with the state of their tickets', reads.tasksOf),
  get('tickets', 'tickets with an outcome, the newest first', reads.finishedOf),
  get('tickets/:id', 'the state of one ticket', reads.ticketOfCall),
  get('schedules', 'schedules', reads.schedulesOf),
  get('dead/groups', 'dead letters, grouped by error', reads.letterGroupsOf),
  get('dead/job', 'the act on dead letters that runs, or the last one', reads.jobOf),
  get('dead', 'a page of dead letters', reads.lettersOf),
  get('dead/:id', 'one dead letter', reads.letterOf),
  get('kinds', 'kinds, with the number of their entries', reads.kindsOf),
  get('entries', 'a page of the entries that match', reads.entriesOf),
  get('transactions', 'transactions of all processes, with what they hold', reads.transactionsOf),
  get('audit', 'a page of the acts of operators, newest first', reads.auditOf),
  post('login', 'all', 'begins a session', async ({ desk, body, address }) => {
    const cookie = await desk.logins.login(body.name, body.password, address)
    return Response.json({ done: true }, { headers: { 'Set-Cookie': cookie } })
  }),
  post('logout', 'all', 'ends the session', ({ desk, request }) =>
    Response.json({ done: true }, { headers: { 'Set-Cookie': desk.logins.logout(request) } }),
  ),
  post('pause', 'pause', 'pauses a service or a task', acts.pauseAct),
  post('resume', 'pause', 'ends a pause', acts.resumeAct),
  post('processes/order', 'processes', 'drains, resumes, stops, recalls or suspends processes', acts.orderAct),
  post('requests/withdraw', 'cancel', 'withdraws a request', acts.withdrawAct),
  post('tickets/cancel', 'tasks', 'cancels a task', acts.cancelTicketAct),
  post('tickets/result', 'bodies', 'shows the result of a task', acts.ticketResultAct),
  post('schedules/run', 'schedules', 'has the task of a schedule done once more', acts.runScheduleAct),
  post('schedules/remove', 'schedules', 'ends a schedule', acts.removeScheduleAct),
  post('dead/requeue', 'dead', 'enqueues dead letters again', acts.requeueAct),
  post('dead/drop', 'dead', 'removes dead letters', acts.dropAct),
  post(
    'dead/export',
    'dead',
    'returns dead letters as lines of JSON; with their bodies it needs the right bodies, too',
    acts.exportAct,
  ),
  post('dead/stop', 'dead', 'stops the act on dead letters that runs', acts.stopJobAct),
  post('dead/body', 'bodies', 'shows the input of a task, or the body of a request', acts.letterBodyAct),
  post('transactions/abort', 'transactions', 'aborts a transaction', acts.abortTransactionAct),
  post('entries/take', 'entries', 'takes an entry out of the space', acts.takeEntryAct),
  post('entries/body', 'bodies', 'shows all fields of an entry', acts.entryBodyAct),
]

/** The route of a path, with the parts of the path that it names. */
export interface MatchedRoute {
  readonly route: DashboardRoute
  readonly params: Readonly<Record<string, string>>
}

/** Returns the routes of a path, of each method; exact paths come first in the table. */
export function routesAt(path: string): MatchedRoute[] {
  const parts = path.split('/')
  return ROUTES.flatMap((route) => {
    const params = paramsOf(route.path.split('/'), parts)
    return params ? [{ route, params }] : []
  })
}

function paramsOf(pattern: readonly string[], parts: readonly string[]): Record<string, string> | undefined {
  if (pattern.length !== parts.length) return undefined
  const params: [string, string][] = []
  for (const [i, part] of pattern.entries()) {
    if (!part.startsWith(':')) {
      if (part !== parts[i]) return undefined
    } else {
      const value = decoded(parts[i]!)
      if (!value) return undefined
      params.push([part.slice(1), value])
    }
  }
  return Object.fromEntries(params)
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return ''
  }
}

/** createDashboard: the dashboard of a space as an app with `fetch`, to be mounted under any path. */
import { isSpaceError } from '../errors.js'
import type { Desk } from './call.js'
import { pageFile } from './files.js'
import { checkAct, checkHost, checkPeer, SECURITY_HEADERS } from './guard.js'
import { LetterJobs } from './letter-jobs.js'
import { Logins } from './logins.js'
import { checkedDashboard, type DashboardOptions } from './options.js'
import { changesOf, wholeOf } from './reads.js'
import { Refused } from './refusal.js'
import { rightsOfUser } from './rights.js'
import { type DashboardRoute, type MatchedRoute, routesAt } from './routes.js'
import { Sampler } from './sampler.js'
import { Searches } from './searches.js'
import { Watchers } from './watchers.js'

export type { DashboardOptions, RequestSource, ShownEntry } from './options.js'
export type { ProxyLogin } from './proxy-login.js'
export type { DashboardUser, Right, UserRole } from './rights.js'

export interface Dashboard {
  /** The path under which it is mounted, without a slash at its end. */
  readonly path: string
  /**
   * Answers a request. Never rejects.
   *
   * @param env what the server tells beside the request: with `incoming.socket.remoteAddress`, as `@hono/node-server`
   *   and workers of takespace give it, the address of the peer is known
   */
  fetch(request: Request, env?: unknown): Promise<Response>
  /** Ends its sampler and the streams of its watchers. The end of the space does the same. */
  stop(): Promise<void>
}

const LONGEST_BODY = 64 * 1_024
const METHODS = ['GET', 'HEAD', 'POST']

/**
 * Creates a dashboard: a page and its JSON, which show services, processes, requests, tasks, schedules, dead letters and
 * entries of a space, and act on them for users with the rights to. Without rights it can only be read; without users it
 * answers this machine alone.
 *
 * @throws SpaceError INVALID_ARGUMENT, naming the option
 * @example
 * const dashboard = createDashboard({ space, path: '/ops', rights: ['pause'] })
 * app.all('/ops/*', (c) => dashboard.fetch(c.req.raw, c.env)) // Hono
 */
export function createDashboard(options: DashboardOptions): Dashboard {
  const terms = checkedDashboard(options)
  const { space } = terms
  const logins = new Logins(terms)
  const watchers: Watchers = new Watchers(() => wholeOf(desk))
  const isWatched = (): boolean => watchers.size > 0
  const sampler = new Sampler(space, isWatched, () => watchers.tell(changesOf(desk)))
  const desk: Desk = {
    space,
    terms,
    sampler,
    watchers,
    logins,
    searches: new Searches(),
    jobs: new LetterJobs(space),
  }
  const dashboard: Dashboard = {
    path: terms.path,
    async fetch(request, env) {
      const response = await answer(desk, request, env)
      for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.headers.set(name, value)
      return request.method === 'HEAD' ? new Response(null, response) : response
    },
    async stop() {
      watchers.closeAll()
      await sampler.stop()
      space.disown(dashboard)
    },
  }
  space.adopt(dashboard)
  return dashboard
}

async function answer(desk: Desk, request: Request, env: unknown): Promise<Response> {
  const { pathname } = new URL(request.url)
  try {
    return await dispatch(desk, request, pathname, addressIn(env))
  } catch (error) {
    const refusal = refusalOf(error)
    const { status, rule, message, details } = refusal
    const fields = { method: request.method, path: pathname, status, rule }
    if (status >= 500) desk.terms.logger.error({ ...fields, err: error }, 'the dashboard failed')
    else desk.terms.logger.warn(fields, `the dashboard refused a request: ${message}`)
    return json({ error: message, rule, ...details }, status)
  }
}

async function dispatch(desk: Desk, request: Request, pathname: string, address: string | undefined) {
  const { terms } = desk
  const { method } = request
  if (!METHODS.includes(method)) throw new Refused(405, 'method', `The methods are ${METHODS.join(', ')}.`)
  checkHost(request, terms)
  checkPeer(request, address, terms)
  if (method === 'POST') checkAct(request, terms)
  // Relative to the path itself: the names of a host and of a scheme are those of the browser.
  if (pathname === terms.path && terms.path !== '') return redirect(`${terms.path}/`)
  if (!pathname.startsWith(`${terms.path}/`)) throw new Refused(404, 'path', 'There is nothing at this path.')
  const path = pathname.slice(terms.path.length)
  const matches = routesAt(path)
  const match = matches.find(({ route }) => route.method === (method === 'HEAD' ? 'GET' : method))
  if (match) return run(desk, request, match, address)
  if (matches.length > 0 || method === 'POST') throw new Refused(405, 'method', `${method} is not for this path.`)
  return pageFile(path.slice(1))
}

async function run(desk: Desk, request: Request, { route, params }: MatchedRoute, address: string | undefined) {
  const user = await desk.logins.userOf(request, address)
  if (!user && route.right !== 'all')
    throw new Refused(401, 'login', 'Log in first.', { login: desk.logins.hasPasswords })
  const rights = user && !desk.terms.readOnly ? rightsOfUser(user) : new Set<never>()
  checkRight(route, rights)
  const body = route.method === 'POST' ? await bodyOf(request) : {}
  const query = new URL(request.url).searchParams
  const call = { desk, user: user ?? { name: 'nobody' }, rights, address, params, query, body, request }
  const result = await route.run(call)
  return result instanceof Response ? result : json(result as object, 200)
}

function checkRight({ right }: DashboardRoute, rights: ReadonlySet<string>): void {
  if (right === 'all' || right === 'view' || rights.has(right)) return
  throw new Refused(403, 'right', `This needs the right ${right}.`, { right })
}

async function bodyOf(request: Request): Promise<Record<string, unknown>> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of request.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true })
    if (text.length > LONGEST_BODY) throw new Refused(413, 'body', `A body has at most ${LONGEST_BODY} bytes.`)
  }
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))
      return parsed as Record<string, unknown>
  } catch {}
  throw new Refused(400, 'body', 'The body is one JSON object.')
}

/** Of an error of the space, its code is the rule. */
function refusalOf(error: unknown): Refused {
  if (error instanceof Refused) return error
  if (isSpaceError(error)) {
    return new Refused(CLIENTS_OWN.has(error.code) ? 400 : (STATUSES[error.code] ?? 503), error.code, error.message)
  }
  return new Refused(500, 'bug', 'The dashboard failed: its log has the error.')
}

const CLIENTS_OWN: ReadonlySet<string> = new Set([
  ...['INVALID_ARGUMENT', 'INVALID_ENTRY', 'TICKET_PENDING', 'TASK_FAILED', 'TICKET_CANCELLED', 'LEASE_UNKNOWN'],
])

/** A user of Redis who may only read is refused what would write. */
const STATUSES: Readonly<Record<string, number>> = { TICKET_UNKNOWN: 404, REDIS_REFUSED: 403 }

const json = (value: object, status: number): Response =>
  Response.json(value, { status, headers: { 'Cache-Control': 'no-store' } })

const redirect = (to: string): Response => new Response(null, { status: 308, headers: { Location: to } })

/** Returns the address of the peer, as servers for Node.js give it. */
function addressIn(env: unknown): string | undefined {
  const { incoming } = Object(env) as { incoming?: { socket?: { remoteAddress?: unknown } } }
  const address = incoming?.socket?.remoteAddress
  return typeof address === 'string' ? address : undefined
}

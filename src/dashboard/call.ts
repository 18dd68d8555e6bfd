/** A call of a route: who asks for what, and the checked values of its body. */
import { audited } from '../control/audit.js'
import type { Space } from '../space.js'
import type { LetterJobs } from './letter-jobs.js'
import type { Logins } from './logins.js'
import type { CheckedDashboard } from './options.js'
import { Refused } from './refusal.js'
import type { DashboardUser, Right } from './rights.js'
import type { Sampler } from './sampler.js'
import type { Searches } from './searches.js'
import type { Watchers } from './watchers.js'

/** The parts of a dashboard that routes use. */
export interface Desk {
  readonly space: Space
  readonly terms: CheckedDashboard
  readonly sampler: Sampler
  readonly watchers: Watchers
  readonly logins: Logins
  readonly searches: Searches
  readonly jobs: LetterJobs
}

export interface RouteCall {
  readonly desk: Desk
  readonly user: DashboardUser
  readonly rights: ReadonlySet<Right>
  readonly address: string | undefined
  /** The parts of the path that the route names. */
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  readonly body: Readonly<Record<string, unknown>>
  readonly request: Request
}

/** Records an act of the user, does it, and records its outcome. Throws the error of the act. */
export function act<T>(
  call: RouteCall,
  name: string,
  target: string,
  count: number,
  run: () => Promise<T>,
): Promise<T> {
  const { desk, user, address = 'unknown' } = call
  const what = { by: user.name, from: address, act: name, target, count }
  desk.terms.logger.info(what, 'a user of the dashboard acts')
  return audited(desk.space, what, run)
}

const malformed = (name: string, wants: string): never => {
  throw new Refused(400, 'body', `${name} must be ${wants}.`)
}

const LONGEST_TEXT = 1_000

/** Returns a text of the body. @throws Refused 400 */
export function textIn(body: RouteCall['body'], name: string, longest = LONGEST_TEXT): string {
  const value = Object.hasOwn(body, name) ? body[name] : undefined
  if (typeof value === 'string' && value !== '' && value.length <= longest && value.isWellFormed()) return value
  return malformed(name, `a text of 1 to ${longest} characters`)
}

/** @throws Refused 400 */
export function numberIn(body: RouteCall['body'], name: string): number {
  const value = Object.hasOwn(body, name) ? body[name] : undefined
  return typeof value === 'number' && Number.isFinite(value) ? value : malformed(name, 'a number')
}

/** Returns a list of texts of the body. @throws Refused 400 */
export function textsIn(body: RouteCall['body'], name: string, most: number): string[] {
  const value = Object.hasOwn(body, name) ? body[name] : undefined
  const isText = (each: unknown): boolean => typeof each === 'string' && each !== '' && each.length <= LONGEST_TEXT
  if (Array.isArray(value) && value.length > 0 && value.length <= most && value.every(isText)) return value as string[]
  return malformed(name, `a list of 1 to ${most} texts`)
}

/** What removes work is confirmed by its name or its number, typed. @throws Refused 400 */
export function checkConfirmed(body: RouteCall['body'], wanted: string): void {
  if (String(body.confirm ?? '') === wanted) return
  throw new Refused(400, 'confirm', `Confirm with "${wanted}".`, { confirm: wanted })
}

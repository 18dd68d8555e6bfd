/** The cookie of a framework's session as it is stored: without its expiry, which is that of the lease. */

/** The common part of the cookies of express-session and @fastify/session. */
export interface SessionCookie {
  /** The original maximum age, in ms; null or undefined: until the browser is closed. */
  originalMaxAge?: number | null
  expires?: Date | string | number | boolean | null
  toJSON?(): object
}

/** Recomputing the age from the expiry loses a millisecond now and then, which is not a change. */
const DRIFT_MS = 1_000

/** The age in a cookie's JSON. */
const MAX_AGE = /"originalMaxAge":(\d+(?:\.\d+)?)[,}]/

/** Returns the rest of the session's life, in ms; undefined if the cookie does not say. */
export function maxAgeOf({ expires }: SessionCookie, now: number): number | undefined {
  if (expires === undefined || expires === null || typeof expires === 'boolean') return undefined
  const ends = (expires instanceof Date ? expires : new Date(expires)).getTime()
  return Number.isNaN(ends) ? undefined : ends - now
}

/** Returns the JSON of a cookie. @param before its JSON when it was loaded */
export function cookieText(cookie: SessionCookie, before: string | undefined): string {
  // A copy in either case.
  const all = (cookie.toJSON?.() ?? { ...cookie }) as Record<string, unknown>
  if (typeof all.originalMaxAge !== 'number') return JSON.stringify(all)
  // JSON leaves them out. @fastify/session has both.
  all.expires = undefined
  all.originalExpires = undefined
  const earlier = before === undefined ? undefined : MAX_AGE.exec(before)?.[1]
  if (earlier && Math.abs(Number(earlier) - all.originalMaxAge) < DRIFT_MS) all.originalMaxAge = Number(earlier)
  return JSON.stringify(all)
}

/** Returns the cookie for its framework, with the expiry of the lease. Changes `stored`. */
export function cookieOf(stored: unknown, remainingMs: number, now: number): SessionCookie {
  const cookie = (typeof stored === 'object' ? (stored ?? {}) : {}) as SessionCookie
  if (typeof cookie.originalMaxAge === 'number') cookie.expires = new Date(now + remainingMs)
  return cookie
}

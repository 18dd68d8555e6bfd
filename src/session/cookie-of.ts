/** The cookie of a framework's session, as it is stored: without its expiry, since when a session ends is for its lease alone to say. */

/** What express-session and @fastify/session have in common. */
export interface SessionCookie {
  /** How long it was to last, in ms; null or undefined: until the browser is closed. */
  originalMaxAge?: number | null
  expires?: Date | string | number | boolean | null
  toJSON?(): object
}

/** Counting it back from the expiry loses a millisecond now and then; that is no change. */
const DRIFT_MS = 1_000

/** In its text. */
const MAX_AGE = /"originalMaxAge":(\d+(?:\.\d+)?)[,}]/

/** How long the session is to stay from now on, in ms; undefined: the cookie does not say. */
export function maxAgeOf({ expires }: SessionCookie, now: number): number | undefined {
  if (expires === undefined || expires === null || typeof expires === 'boolean') return undefined
  const ends = new Date(expires).getTime()
  return Number.isNaN(ends) ? undefined : ends - now
}

/** @param before its text when it was loaded */
export function cookieText(cookie: SessionCookie, before: string | undefined): string {
  const all = (cookie.toJSON?.() ?? cookie) as Record<string, unknown>
  if (typeof all.originalMaxAge !== 'number') return JSON.stringify(all)
  // @fastify/session keeps both.
  const { expires: _, originalExpires: _also, ...stored } = all
  const earlier = MAX_AGE.exec(before ?? '')?.[1]
  if (earlier && Math.abs(Number(earlier) - all.originalMaxAge) < DRIFT_MS) stored.originalMaxAge = Number(earlier)
  return JSON.stringify(stored)
}

/** As its framework expects it: its expiry is what its lease says. */
export function cookieOf(stored: unknown, remainingMs: number, now: number): SessionCookie {
  const cookie = { ...(stored as SessionCookie) }
  if (typeof cookie.originalMaxAge === 'number') cookie.expires = new Date(now + remainingMs)
  return cookie
}

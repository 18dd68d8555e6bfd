/** The rules that each request to the dashboard must meet before anybody looks at what it wants. */
import { type CheckedDashboard, isLoopbackAddress, isLoopbackName } from './options.js'
import { Refused } from './refusal.js'

type Rules = Pick<CheckedDashboard, 'origins' | 'hasLogin'>

const JSON_TYPE = /^application\/json(\s*;\s*charset=utf-8)?$/i

/** Fields that a proxy adds: what comes through one does not come from this machine. */
const OF_PROXIES = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'via']

/**
 * Against DNS rebinding: the Host is a loopback name, or that of a configured origin.
 *
 * @throws Refused 421
 */
export function checkHost({ headers }: Request, { origins }: Rules): void {
  const host = hostOf(headers)
  const name = nameOf(host)
  if (isLoopbackName(name) || origins.some((origin) => nameOf(new URL(origin).host) === name)) return
  throw new Refused(421, 'host', 'This dashboard does not answer that host: add its origin to --dashboard-origins.')
}

const hostOf = (headers: Headers): string => headers.get('host') ?? ''

const nameOf = (host: string): string => host.replace(/:\d*$/, '').toLowerCase()

/**
 * Without users it answers this machine alone.
 *
 * @throws Refused 403
 */
export function checkPeer({ headers }: Request, address: string | undefined, { hasLogin }: Rules): void {
  if (hasLogin || (isLoopbackAddress(address) && !OF_PROXIES.some((name) => headers.has(name)))) return
  throw new Refused(403, 'loopback', 'Without users this dashboard answers its own machine alone: give it users.')
}

/**
 * An act comes from a page of this dashboard, or from a program with a token.
 *
 * @throws Refused 403 or 415
 */
export function checkAct({ headers }: Request, { origins }: Rules): void {
  if (!JSON_TYPE.test(headers.get('content-type') ?? '')) {
    throw new Refused(415, 'content-type', 'An act is sent as Content-Type: application/json.')
  }
  const site = headers.get('sec-fetch-site')
  if (site !== null && site !== 'same-origin') {
    throw new Refused(403, 'sec-fetch-site', 'The request comes from another site.')
  }
  const origin = headers.get('origin')
  if (origin !== null && !isOwn(origin, hostOf(headers), origins)) {
    throw new Refused(403, 'origin', 'The request comes from another origin: add yours to --dashboard-origins.')
  }
  if (origin === null && site === null && !hasBearer(headers)) {
    throw new Refused(403, 'origin', 'A request without Origin and Sec-Fetch-Site needs a bearer token.')
  }
}

export const hasBearer = (headers: Headers): boolean => /^bearer /i.test(headers.get('authorization') ?? '')

function isOwn(origin: string, host: string, origins: readonly string[]): boolean {
  if (origins.includes(origin)) return true
  return isLoopbackName(nameOf(host)) && (origin === `http://${host}` || origin === `https://${host}`)
}

/** Those of every response. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), microphone=(), geolocation=()',
}

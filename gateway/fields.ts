/** Header fields that must not pass the gateway, or pass from trusted peers only. */
import { NEVER_IN_TRAILERS } from '../src/request/http.js'

/** Fields that Connection must not list (RFC 9110 §7.6.1): dropping them would change the meaning of a message. */
const NEVER_LISTED: ReadonlySet<string> = new Set(['host', 'content-length', 'cache-control'])

/** Fields by which a proxy describes the connection of its client (RFC 7239, RFC 9440). */
const OF_PROXIES: ReadonlySet<string> = new Set(['forwarded', 'x-real-ip', 'client-cert', 'client-cert-chain'])

/** Returns whether a field tells the origin of a request: the gateway passes such fields on from trusted proxies only. */
export const isForwarded = (lower: string): boolean => OF_PROXIES.has(lower) || lower.startsWith('x-forwarded-')

/** Returns the names that a Connection value lists; undefined for the usual values, which list none. */
export function listedIn(connection: string): Set<string> | undefined {
  if (connection === 'keep-alive' || connection === 'close' || connection === '') return undefined
  const names = new Set<string>()
  for (const item of connection.toLowerCase().split(',')) {
    const name = item.trim()
    if (name && !NEVER_LISTED.has(name) && !isForwarded(name)) names.add(name)
  }
  return names
}

/** Returns whether a field, by its lower-case name, claims an origin or is internal. */
export const claimsOrigin = (name: string): boolean => isForwarded(name) || name.startsWith('x-takespace-')

/** Returns the name that some software takes for this one: it treats `Transfer_Encoding` as Transfer-Encoding. */
export const hyphenated = (name: string): string => (name.includes('_') ? name.replaceAll('_', '-') : name)

/** Returns the trailers (name, value, name, value …) that are passed on, in both directions. */
export function passedOn(trailers: readonly string[]): string[] {
  const kept: string[] = []
  for (let i = 0; i < trailers.length; i += 2) {
    const name = hyphenated((trailers[i] as string).toLowerCase())
    if (!NEVER_IN_TRAILERS.has(name) && !claimsOrigin(name)) kept.push(trailers[i] as string, trailers[i + 1] as string)
  }
  return kept
}

/** Returns the list name, value, name, value … without these names. */
export function withoutFields(headers: readonly string[], names: ReadonlySet<string>): string[] {
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string
    if (!names.has(name.toLowerCase())) kept.push(name, headers[i + 1] as string)
  }
  return kept
}

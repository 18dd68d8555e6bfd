/** Which header fields belong to one connection only and therefore never pass the gateway, in either direction. */

/** RFC 9110 §7.6.1 and what older software treats alike. */
export const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** A sender must not list these in Connection (RFC 9110 §7.6.1); who does would make a message mean something else behind us. */
const NEVER_LISTED: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'cache-control',
  'x-forwarded-for',
  'x-forwarded-proto',
])

/** The names that a Connection value lists, or undefined for the everyday ones that list none. */
export function listedIn(connection: string): Set<string> | undefined {
  if (connection === 'keep-alive' || connection === 'close' || connection === '') return undefined
  const names = new Set<string>()
  for (const item of connection.toLowerCase().split(',')) {
    const name = item.trim()
    if (name && !NEVER_LISTED.has(name)) names.add(name)
  }
  return names
}

/** Framing, routing and authentication are not said behind a body (RFC 9110 §6.5.1); whoever merges trailers into headers would be misled. */
const NEVER_BEHIND: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  'host',
  'content-length',
  'content-type',
  'content-encoding',
  'content-range',
  'authorization',
  'cookie',
  'set-cookie',
  'x-request-id',
])

/** Of trailers, name, value, name, value …, those that are passed on. */
export const passedOn = (trailers: readonly string[]): string[] => without(trailers, NEVER_BEHIND)

/** Name, value, name, value … without those names. */
export function without(headers: readonly string[], names: ReadonlySet<string>): string[] {
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string
    if (!names.has(name.toLowerCase())) kept.push(name, headers[i + 1] as string)
  }
  return kept
}

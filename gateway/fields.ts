/** Which header fields belong to one connection only and therefore never pass the gateway, in either direction. */
import { NEVER_IN_TRAILERS } from '../src/request/http.js'

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

/** Of trailers, name, value, name, value …, those that are passed on. */
export const passedOn = (trailers: readonly string[]): string[] => withoutFields(trailers, NEVER_IN_TRAILERS)

/** Name, value, name, value … without those names. */
export function withoutFields(headers: readonly string[], names: ReadonlySet<string>): string[] {
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string
    if (!names.has(name.toLowerCase())) kept.push(name, headers[i + 1] as string)
  }
  return kept
}

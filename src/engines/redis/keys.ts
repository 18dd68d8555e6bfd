/** Names of what a space has in Redis. All begin with one hash tag, so that on a Cluster they are in one slot (KEYS in protocol.ts). */
import { KEYS } from './protocol.js'

export interface Keys {
  /** The one declared key of every call; the library makes all others from its prefix. */
  readonly counters: string
  /** Channel on which a process is handed things. */
  pushes(presence: string): string
  /** Channel for messages of other processes. */
  messages(presence: string): string
  /** Body too large to pass through a function. */
  body(id: string): string
  /** Body of an outcome, by claim: what a former holder still answers must not replace what was accepted. */
  outcomeBody(claim: string): string
  session(id: string): string
}

/** Returns the keys of a space of this name. */
export function keysOf(space: string): Keys {
  // Percent-encoding leaves no brace in the name, so it cannot change the hash tag.
  const prefix = `{ts:${encodeURIComponent(space)}}:`
  const named =
    ({ name }: { readonly name: string }) =>
    (of: string): string =>
      `${prefix}${name}${of}`
  return {
    counters: `${prefix}${KEYS.counters.name}`,
    pushes: named(KEYS.pushes),
    messages: named(KEYS.messages),
    body: named(KEYS.body),
    outcomeBody: named(KEYS.body),
    session: named(KEYS.session),
  }
}

/**
 * Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): the key of a request, its principal, and the digest of a
 * request.
 */
import type { RequestClient } from '../src/request.js'
import { digest } from '../src/runtime/digest.js'
import { KEY_INVALID } from './refusals.js'

/** The draft recommends a bound; this is the usual one. */
const LONGEST_KEY = 255

/**
 * A String of Structured Fields (RFC 9651 §3.3.3), whose parameters are ignored; or the bare text, as most clients send
 * it.
 */
const QUOTED = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"(?:;[^"]*)?$/
const BARE = /^[\x21\x23-\x2b\x2d-\x7e]+$/

/** RFC 9110 §9.2.1: the key of a safe method is ignored. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/**
 * Returns the key; undefined without one, or for a safe method.
 * @throws Refusal KEY_INVALID
 */
export function keyOf(method: string, headers: readonly string[]): string | undefined {
  if (SAFE.has(method)) return undefined
  let found: string | undefined
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i]!.toLowerCase() !== 'idempotency-key') continue
    // Two lines are a list, and a list is not a key.
    if (found !== undefined) throw KEY_INVALID
    found = headers[i + 1]!
  }
  if (found === undefined) return undefined
  const text = found.trim()
  const key = QUOTED.exec(text)?.[1]?.replace(/\\(["\\])/g, '$1') ?? (BARE.test(text) ? text : '')
  if (key === '' || key.length > LONGEST_KEY) throw KEY_INVALID
  return key
}

/** Returns the principal of a request, given its header fields by lower-case name, and its client. */
export type PrincipalOf = (headers: Readonly<Record<string, string | undefined>>, client: RequestClient) => string

export const principalIn: PrincipalOf = ({ authorization, cookie }) => authorization ?? cookie ?? ''

/** Returns the fields by lower-case name, repeated ones joined (RFC 9110 §5.3). */
export function joinedFields(headers: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = Object.create(null)
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!.toLowerCase()
    const before = fields[name]
    fields[name] =
      before === undefined ? headers[i + 1]! : `${before}${name === 'cookie' ? '; ' : ', '}${headers[i + 1]!}`
  }
  return fields
}

/** Returns the digest of these parts, each behind its length: no part can be taken for the border between two. */
export const digestOfParts = (...parts: readonly (string | Buffer)[]): string =>
  digest(...parts.flatMap((part) => [`${Buffer.byteLength(part)}:`, part]))

/** Matching of entries that a space has returned, where no engine is asked. */
import { ANY_KIND, type EncodedTemplate, type Stored } from '../engine.js'
import type { PackedFields } from './codec.js'
import { holds } from './holds.js'
import { checkedBeforeParse } from './limits.js'
import { tokensOf } from './template.js'

/** Returns whether an entry of a user's kind matches a template; false if its body is malformed. */
export function isMatch(template: EncodedTemplate, { kinds, body }: Stored): boolean {
  const { kind, indexed, verified, conditions = [] } = template
  if (kind !== ANY_KIND && !kinds.includes(kind)) return false
  const entry = tokensIn(body)
  const tokens = new Set(entry && [...entry.indexed, ...entry.verified])
  const isEqual = (token: string): boolean => tokens.has(token)
  return (
    entry !== undefined &&
    indexed.every(isEqual) &&
    verified.every(isEqual) &&
    conditions.every((condition) => holds(condition, entry))
  )
}

function tokensIn(body: Buffer): ReturnType<typeof tokensOf> | undefined {
  try {
    checkedBeforeParse(body)
    return tokensOf(JSON.parse(body.toString()) as PackedFields, undefined, true)
  } catch {
    return undefined
  }
}

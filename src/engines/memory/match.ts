/**
 * Matching: an entry matches if it has the template's kind, or one that extends it, and all its tokens, and all its
 * conditions hold.
 */
import { ANY_KIND, type EncodedEntry, type EncodedTemplate, OWN_KINDS } from '../../engine.js'
import { holds } from '../../entry/holds.js'

export function matches(template: EncodedTemplate, entry: EncodedEntry): boolean {
  const { kinds } = entry
  const asked = template.kind === ANY_KIND ? !kinds[0]!.startsWith(OWN_KINDS) : kinds.includes(template.kind)
  if (!asked) return false
  const has = (token: string): boolean => entry.indexed.includes(token) || entry.verified.includes(token)
  return (
    template.indexed.every(has) &&
    template.verified.every(has) &&
    (template.anyOf?.some(has) ?? true) &&
    (template.conditions?.every((condition) => holds(condition, entry)) ?? true)
  )
}

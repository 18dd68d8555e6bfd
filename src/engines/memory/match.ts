/** Which entry meets which template, in plain words: the kind or a kind it extends, and every field asked for. */
import { ANY_KIND, type EncodedEntry, OWN_KINDS, type EncodedTemplate } from '../../engine.js'

export function matches(pattern: EncodedTemplate, image: EncodedEntry): boolean {
  const { kinds } = image
  const asked = pattern.kind === ANY_KIND ? !kinds[0]!.startsWith(OWN_KINDS) : kinds.includes(pattern.kind)
  if (!asked) return false
  const has = (token: string): boolean => image.indexed.includes(token) || image.verified.includes(token)
  return pattern.indexed.every(has) && pattern.verified.every(has) && (pattern.anyOf?.some(has) ?? true)
}

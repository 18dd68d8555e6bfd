/** Which entry meets which template, in plain words: the kind or a kind it extends, and every field asked for. */
import { ANY_KIND, type Image, type Pattern } from '../../engine.js'

export function matches(pattern: Pattern, image: Image): boolean {
  if (pattern.kind === ANY_KIND ? image.request : !image.kinds.includes(pattern.kind)) return false
  const has = (token: string): boolean => image.indexed.includes(token) || image.verified.includes(token)
  return pattern.indexed.every(has) && pattern.verified.every(has)
}

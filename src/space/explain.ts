/** explain: how the space searches for a template. */
import { ANY_KIND, type EncodedTemplate, type Engine } from '../engine.js'
import type { Template } from '../entry/template.js'
import { unescaped } from '../entry/token.js'
import { SpaceError } from '../errors.js'

/** How a search for a template goes. */
export interface Explanation {
  /** The fields whose index leads to the matches; [] if all entries of the kind are looked at. */
  readonly index: readonly string[]
  /** Entries in that index now: a search looks at no more, and often at the first alone. */
  readonly candidates: number
  /** The other fields of the template: they are compared entry by entry. */
  readonly checked: readonly string[]
}

/** @internal @throws SpaceError INVALID_ARGUMENT for AnyEntry */
export async function explained(engine: Engine, { encoded }: Template<object>): Promise<Explanation> {
  const { index, candidates } = await engine.plan(ofOneKind('explain', encoded))
  const { indexed, verified, conditions = [] } = encoded
  const tokens = [...indexed, ...verified].map((token) => token.slice(0, token.indexOf('=')))
  const checked = [...tokens, ...conditions.map(({ field }) => field)].filter((field) => !index.includes(field))
  return { index: index.map(unescaped), candidates, checked: checked.map(unescaped) }
}

/** @internal @throws SpaceError INVALID_ARGUMENT for AnyEntry */
export const counted = async (engine: Engine, { encoded }: Template<object>): Promise<number> =>
  engine.count(ofOneKind('count', encoded))

/** Returns the template. @throws SpaceError INVALID_ARGUMENT for AnyEntry: each kind has its own indexes */
export function ofOneKind(what: string, template: EncodedTemplate): EncodedTemplate {
  if (template.kind === ANY_KIND) throw new SpaceError('INVALID_ARGUMENT', `${what} wants a kind, not AnyEntry.`)
  return template
}

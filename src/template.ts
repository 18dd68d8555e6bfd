/** Template: the fields that must be equal, and how entries and templates become the tokens that engines compare. */
import { encodeFields } from './codec.js'
import { ANY_KIND, type Image, type Pattern } from './engine.js'
import { SpaceError } from './errors.js'
import { chainOf, type Definition, originOf } from './kind.js'
import { fieldName, isScalar, kindName, tokenOf } from './token.js'

/** Made by `Kind.template({…})`; a kind alone is the template with every field a wildcard. */
export class Template<F extends object> {
  readonly pattern: Pattern
  /** Never set; it makes the type of the entries that match known to the compiler. */
  declare readonly fields: F

  /** @internal Use Kind.template. */
  constructor(kind: Definition, fields: object) {
    if (typeof fields !== 'object' || fields === null) {
      throw new SpaceError('INVALID_ENTRY', `A template of ${kind.kind} wants an object of fields.`)
    }
    const chain = chainOf(kind)
    const any = kind.kind === ANY_KIND
    this.pattern = {
      kind: any ? ANY_KIND : kindName(kind.kind),
      root: any ? ANY_KIND : kindName(chain[chain.length - 1]!),
      ...tokensOf(fields, kind.index),
    }
  }
}

const wholeKinds = new WeakMap<object, Pattern>()

/**
 * The pattern of a template, or of a kind, which stands for all of it.
 * @throws SpaceError INVALID_ARGUMENT for anything else
 */
export function patternOf(template: unknown): Pattern {
  if (template instanceof Template) return template.pattern
  const kind = template as ((fields: object) => object) & { template?(fields: object): { readonly pattern: Pattern } }
  if (typeof kind !== 'function' || typeof kind.template !== 'function') {
    throw new SpaceError('INVALID_ARGUMENT', 'A template is made by Kind.template({…}), or is a kind itself.')
  }
  const known = wholeKinds.get(kind)
  if (known) return known
  const { pattern } = kind.template({})
  wholeKinds.set(kind, pattern)
  return pattern
}

/** The entry as engines store it. */
export function imageOf(entry: object, id: string, leaseMs: number, priority: number): Image {
  const origin = originOf(entry)
  if (!origin) {
    throw new SpaceError('INVALID_ENTRY', 'Only entries made by a kind can be written: Task({ … }), see defineEntry.')
  }
  return {
    id,
    kinds: origin.kinds.map(kindName),
    body: encodeFields(entry),
    ...tokensOf(entry, origin.index),
    index: origin.index ? `:${origin.index.map(fieldName).join(':')}:` : '*',
    leaseMs,
    priority,
  }
}

/** `field=token` of each field, sorted by name, apart by whether an index holds it. */
function tokensOf(fields: object, index: readonly string[] | undefined): Pick<Pattern, 'indexed' | 'verified'> {
  const indexed: string[] = []
  const verified: string[] = []
  for (const name of Object.keys(fields).sort()) {
    const value: unknown = (fields as Record<string, unknown>)[name]
    if (value === undefined) continue
    const token = `${fieldName(name)}=${tokenOf(value)}`
    const found = index ? index.includes(name) : isScalar(value)
    ;(found ? indexed : verified).push(token)
  }
  return { indexed, verified }
}

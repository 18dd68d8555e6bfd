/** Template: the fields that must be equal, and the tokens of entries and templates that engines compare. */

import { ANY_KIND, type EncodedEntry, type EncodedTemplate } from '../engine.js'
import { SpaceError } from '../errors.js'
import { bytesOf, nameOf, type PackedFields, packFields } from './codec.js'
import { chainOf, type Definition, type Index, originOf } from './kind.js'
import { fieldsToStore } from './schema.js'
import { compoundName, compoundToken, fieldName, isScalar, kindName, tokenOf } from './token.js'

/** Made by `Kind.template({…})`; a kind alone is the template of all its entries. Encoded once, when it is made. */
export class Template<F extends object> {
  /** @internal The tokens that engines compare. */
  readonly encoded: EncodedTemplate
  /** @internal The kind of the template. */
  readonly definition: Definition
  /** Never set: it carries the type of the matches for the compiler. */
  declare readonly fields: F

  /** @internal Use Kind.template. */
  constructor(kind: Definition, fields: object) {
    const packed = packFields(fields)
    for (const name of Object.keys(packed)) {
      if (kind.names?.has(nameOf(name)) === false) {
        throw new SpaceError('INVALID_ENTRY', `${kind.kind} has no field ${nameOf(name)}, so nothing would ever match.`)
      }
    }
    const chain = chainOf(kind)
    const any = kind.kind === ANY_KIND
    this.definition = kind
    this.encoded = {
      kind: any ? ANY_KIND : kindName(kind.kind),
      root: any ? ANY_KIND : kindName(chain[chain.length - 1]!),
      ...tokensOf(packed, kind.index),
      ...partitionOf(packed, kind.partition),
    }
  }
}

const wholeKinds = new WeakMap<object, Template<object>>()

/**
 * Returns the template, or that of all entries of a kind.
 * @throws SpaceError INVALID_ARGUMENT for any other value
 */
export function templateOf(template: unknown): Template<object> {
  if (template instanceof Template) return template
  const kind = template as ((fields: object) => object) & { template?(fields: object): Template<object> }
  if (typeof kind !== 'function' || typeof kind.template !== 'function') {
    throw new SpaceError('INVALID_ARGUMENT', 'A template must be a kind or the result of Kind.template({…}).')
  }
  let whole = wholeKinds.get(kind)
  if (!whole) {
    whole = kind.template({})
    wholeKinds.set(kind, whole)
  }
  return whole
}

/** The part of an encoded entry that is the same for every write. */
export type Encoded = Omit<EncodedEntry, 'id' | 'leaseMs' | 'priority' | 'request'>

/** Returns the encoded entry; a promise only if there is a schema. */
export function encodedOf(entry: object): Encoded | Promise<Encoded> {
  const origin = originOf(entry)
  if (!origin) {
    throw new SpaceError('INVALID_ENTRY', 'Only entries made by a kind can be written: Task({ … }), see defineEntry.')
  }
  const { kinds, index, partition, schemas } = origin
  const encode = (fields: object): Encoded => {
    const packed = packFields(fields)
    const { indexed, verified, compound } = tokensOf(packed, index)
    return {
      kinds: kinds.map(kindName),
      body: bytesOf(packed),
      indexed: compound ? [...indexed, ...compound] : indexed,
      verified,
      index: index ? `:${index.map(indexName).join(':')}:` : '*',
      ...partitionOf(packed, partition),
    }
  }
  return schemas ? fieldsToStore(kinds[0]!, schemas, entry).then(encode) : encode(entry)
}

const indexName = (item: string | readonly string[]): string =>
  typeof item === 'string' ? fieldName(item) : compoundName(item)

/** Returns the field that decides the partition and its token, if there is such a field and it has a value. */
function partitionOf(
  packed: PackedFields,
  field: string | undefined,
): Pick<EncodedEntry, 'partition' | 'partitionField'> | undefined {
  if (field === undefined) return undefined
  const name = Object.keys(packed).find((each) => nameOf(each) === field)
  return name === undefined ? undefined : { partition: tokenOf(packed[name]!), partitionField: fieldName(field) }
}

/**
 * Returns `field=token` of each field, sorted by name, split by whether the field is indexed; and the tokens of
 * complete compound indexes.
 */
function tokensOf(
  packed: PackedFields,
  index: Index | undefined,
): Pick<EncodedTemplate, 'indexed' | 'verified' | 'compound'> {
  const indexed: string[] = []
  const verified: string[] = []
  const compounds = index?.filter((item): item is readonly string[] => typeof item !== 'string') ?? NONE
  const tokens = compounds.length > 0 ? new Map<string, string>() : undefined
  for (const packedName of Object.keys(packed).sort()) {
    const value = packed[packedName]!
    const name = nameOf(packedName)
    const found = index ? index.includes(name) : isScalar(value)
    const token = `${fieldName(name)}=${tokenOf(value)}`
    ;(found ? indexed : verified).push(token)
    tokens?.set(name, token)
  }
  if (!tokens) return { indexed, verified }
  const compound = compounds
    .filter((names) => names.every((name) => tokens.has(name)))
    .map((names) =>
      compoundToken(
        names,
        names.map((name) => tokens.get(name)!),
      ),
    )
  return { indexed, verified, compound }
}

const NONE: readonly (readonly string[])[] = []

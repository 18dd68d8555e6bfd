/** Template: what the fields of a match must be, and the tokens of entries and templates that engines compare. */

import { ANY_KIND, type EncodedCondition, type EncodedEntry, type EncodedTemplate, type Operator } from '../engine.js'
import { SpaceError } from '../errors.js'
import { bytesOf, nameOf, type Packed, type PackedFields, packFields } from './codec.js'
import { Condition } from './condition.js'
import { chainOf, type Definition, type Index, originOf } from './kind.js'
import { Ordered } from './ordered.js'
import { fieldsToStore } from './schema.js'
import {
  ABSENT,
  absenceName,
  beginningOf,
  compoundName,
  compoundToken,
  fieldName,
  hasOrder,
  isScalar,
  kindName,
  operandOf,
  orderName,
  tokenOf,
} from './token.js'

/** Each condition is checked on each candidate. */
const MOST_CONDITIONS = 20

/**
 * Made by `Kind.template({…})`; a kind alone is the template of all its entries. Encoded once, when it is made. `W`: the
 * fields of the kind; `F`: those of a match.
 */
// biome-ignore lint/suspicious/noExplicitAny: a template of which only the matches are known
export class Template<F extends object, W extends object = any> {
  /** @internal The tokens that engines compare. */
  readonly encoded: EncodedTemplate
  /** @internal The kind of the template. */
  readonly definition: Definition
  /** Never set: it carries the type of the matches for the compiler. */
  declare readonly fields: F
  /** Never set: it carries the type of the kind for the compiler. */
  declare readonly whole: W

  /** @internal Use Kind.template. */
  constructor(kind: Definition, fields: object) {
    const { values, asked } = separated(fields)
    const packed = packFields(values)
    for (const name of Object.keys(packed)) {
      if (kind.names?.has(nameOf(name)) === false) {
        throw new SpaceError('INVALID_ENTRY', `${kind.kind} has no field ${nameOf(name)}, so nothing would ever match.`)
      }
    }
    const chain = chainOf(kind)
    const any = kind.kind === ANY_KIND
    const conditions = asked && conditionsOf(packed, asked)
    if (conditions && any) {
      throw new SpaceError('INVALID_ARGUMENT', 'A template of AnyEntry takes values, no conditions; ask for one kind.')
    }
    this.definition = kind
    this.encoded = {
      kind: any ? ANY_KIND : kindName(kind.kind),
      root: any ? ANY_KIND : kindName(chain[chain.length - 1]!),
      ...tokensOf(packed, kind.index),
      ...(conditions && { conditions, ...orderOf(conditions, kind.index) }),
      ...partitionOf(packed, kind.partition),
    }
  }
}

/** Returns the fields with null in the place of each condition, and the conditions by name; undefined if there are none. */
function separated(fields: object): { values: object; asked?: ReadonlyMap<string, Condition> } {
  const all = Object.entries(fields)
  if (!all.some(([, value]) => value instanceof Condition)) return { values: fields }
  const asked = new Map<string, Condition>()
  for (const each of all) {
    const [name, value] = each
    if (!(value instanceof Condition)) continue
    asked.set(name, value)
    each[1] = null
  }
  return { values: Object.fromEntries(all), asked }
}

/**
 * Returns the conditions as engines have them, and leaves the values alone in the packed fields; undefined if the only
 * condition is oneOf a single value, which is that value.
 */
function conditionsOf(
  packed: PackedFields,
  asked: ReadonlyMap<string, Condition>,
): readonly EncodedCondition[] | undefined {
  if (asked.size > MOST_CONDITIONS) {
    throw new SpaceError('INVALID_ARGUMENT', `A template has at most ${MOST_CONDITIONS} conditions, not ${asked.size}.`)
  }
  const conditions: EncodedCondition[] = []
  for (const packedName of Object.keys(packed)) {
    const condition = asked.get(nameOf(packedName))
    if (!condition) continue
    const { operator, isNegated } = condition
    const values = condition.operands as readonly Packed[]
    const operands = operator === 'oneOf' ? [...new Set(values.map(tokenOf))].sort() : values.map(operandOf)
    if (operator === 'oneOf' && !isNegated && operands.length === 1) {
      packed[packedName] = values[0]!
      continue
    }
    delete packed[packedName]
    conditions.push({ field: fieldName(nameOf(packedName)), operator, isNegated, operands })
  }
  return conditions.length > 0 ? conditions.sort((a, b) => (a.field < b.field ? -1 : 1)) : undefined
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

/** Returns the templates. Throws INVALID_ARGUMENT unless there is one at least. `what`: the function that wants them. */
export function templatesOf(what: string, templates: readonly unknown[]): Template<object>[] {
  if (templates.length === 0) throw new SpaceError('INVALID_ARGUMENT', `${what} wants at least one template.`)
  return templates.map(templateOf)
}

/** The part of an encoded entry that is the same for every write. */
export type Encoded = Omit<EncodedEntry, 'id' | 'leaseMs' | 'priority' | 'request'>

/** Returns the encoded entry; a promise only if there is a schema. */
export function encodedOf(entry: object): Encoded | Promise<Encoded> {
  const origin = originOf(entry)
  // A part of an entry has no kind.
  if (!origin || origin.kinds.length === 0) {
    throw new SpaceError('INVALID_ENTRY', 'Only entries made by a kind can be written: Task({ … }), see defineEntry.')
  }
  const { kinds, index, partition, schemas } = origin
  const encode = (fields: object): Encoded => {
    const packed = packFields(fields)
    const { indexed, verified, compound } = tokensOf(packed, index, true)
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

function indexName(item: Index[number]): string {
  if (item instanceof Ordered) return orderName(item.field)
  return typeof item === 'string' ? `${fieldName(item)}:${absenceName(item)}` : compoundName(item)
}

const COMPARISONS: ReadonlySet<Operator> = new Set(['gt', 'gte', 'lt', 'lte', 'between', 'startsWith'])

/** Returns the first field with a comparison that the index keeps in order. */
function orderOf(
  conditions: readonly EncodedCondition[],
  index: Index | undefined,
): Pick<EncodedTemplate, 'orderedBy'> | undefined {
  const names = new Set(orderedIn(index).map(fieldName))
  const first = conditions.find(
    ({ field, operator, isNegated }) => names.has(field) && !isNegated && COMPARISONS.has(operator),
  )
  return first && { orderedBy: first.field }
}

const orderedIn = (index: Index | undefined): string[] => [
  ...new Set((index ?? []).flatMap((item) => (item instanceof Ordered ? [item.field] : []))),
]

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
 * complete compound indexes. `isEntry`: also what the conditions of templates need.
 */
export function tokensOf(
  packed: PackedFields,
  index: Index | undefined,
  isEntry = false,
): Pick<EncodedTemplate, 'indexed' | 'verified' | 'compound'> {
  const indexed: string[] = []
  const verified: string[] = []
  const compounds = index?.filter((item): item is readonly string[] => Array.isArray(item)) ?? NONE
  const tokens = compounds.length > 0 ? new Map<string, string>() : undefined
  for (const packedName of Object.keys(packed).sort()) {
    const value = packed[packedName]!
    const name = nameOf(packedName)
    const found = index ? index.includes(name) : isScalar(value)
    const ofValue = tokenOf(value)
    const token = `${fieldName(name)}=${ofValue}`
    ;(found ? indexed : verified).push(token)
    const beginning = isEntry ? beginningOf(value, ofValue) : undefined
    if (beginning !== undefined) verified.push(`${fieldName(name)}:${beginning}`)
    tokens?.set(name, token)
  }
  if (isEntry && index) {
    indexed.push(...absencesOf(packed, index))
    verified.push(...ordersOf(packed, index))
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

/** Returns a token for each single field of an index that an entry does not have. */
function absencesOf(packed: PackedFields, index: Index): Set<string> {
  const there = new Set(Object.keys(packed).map(nameOf))
  const names = index.filter((item): item is string => typeof item === 'string' && !there.has(item))
  return new Set(names.map((name) => `${fieldName(name)}=${ABSENT}`))
}

/** Returns a mark for each field of an entry whose value is kept in order. */
function ordersOf(packed: PackedFields, index: Index): string[] {
  const values = new Map(Object.entries(packed).map(([name, value]) => [nameOf(name), value]))
  return orderedIn(index)
    .filter((name) => hasOrder(values.get(name)))
    .map((name) => `,${fieldName(name)}`)
}

const NONE: readonly (readonly string[])[] = []

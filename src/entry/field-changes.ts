/** Field changes: what `update` does to the fields of an entry. */
import { onlyKnown } from '../errors/unknown-option.js'
import { SpaceError } from '../errors.js'
import { decodeFields, encodeFields, isPlain } from './codec.js'

/** The fields that an entry may lack. */
type OptionalField<F> = { [K in keyof F]-?: undefined extends F[K] ? K : never }[keyof F] & string

/** The fields that are numbers or bigints, and what can be added to them. */
type Amounts<F> = {
  readonly [K in keyof F as NonNullable<F[K]> extends number | bigint ? K : never]?: NonNullable<F[K]> extends bigint
    ? bigint
    : number
}

/** The fields that are lists, and what can be appended to them. */
type Items<F> = {
  readonly [K in keyof F as NonNullable<F[K]> extends readonly unknown[] ? K : never]?: NonNullable<
    F[K]
  > extends readonly (infer I)[]
    ? I | readonly I[]
    : never
}

/** At least one of these; each field is named in one of them only. */
export interface FieldChanges<F extends object> {
  /** Fields with their new values. */
  readonly set?: { readonly [K in keyof F]?: F[K] } | undefined
  /** Fields that the entry is to lack. */
  readonly unset?: readonly OptionalField<F>[] | undefined
  /** Numbers or bigints to be added. A field that the entry lacks is 0 before. */
  readonly increment?: Amounts<F> | undefined
  /**
   * Items to be appended to a list: a list of them, or one. A field that the entry lacks is an empty list before. To
   * append a list as one item, put it into a list.
   */
  readonly append?: Items<F> | undefined
}

/** Applies changes to fields. @throws SpaceError INVALID_ENTRY for a field of another type */
export type AppliedTo = (fields: object) => object

const PARTS: ReadonlySet<string> = new Set(['set', 'unset', 'increment', 'append'])

/** Error messages show names, cut to this length: they can be data. */
const LONGEST_SHOWN = 100

/**
 * Returns how to apply changes; later changes of the argument have no effect.
 * @throws SpaceError INVALID_ARGUMENT; INVALID_ENTRY for a value that no entry can hold
 */
export function checkedChanges(changes: unknown): AppliedTo {
  if (!isPlain(changes)) throw invalid('The changes of update must be an object of set, unset, increment and append.')
  const { set, unset, increment, append } = onlyKnown('The changes of update', changes, PARTS) as FieldChanges<object>
  const values = valuesIn('set', set)
  const removed = namesIn(unset)
  const amounts = amountsIn(increment)
  const lists = valuesIn('append', append)
  const named = [...values, ...amounts, ...lists].map(([name]) => name).concat(removed)
  const seen = new Set<string>()
  for (const name of named) {
    if (seen.has(name)) throw invalid(`${shown(name)} is named twice in the changes of update.`)
    seen.add(name)
  }
  if (named.length === 0) throw invalid('The changes of update name no field.')
  return (fields) => {
    const changed = new Map<string, unknown>(Object.entries(fields))
    for (const [name, value] of values) changed.set(name, value)
    for (const name of removed) changed.delete(name)
    for (const [name, amount] of amounts) changed.set(name, sumOf(name, changed.get(name), amount))
    for (const [name, items] of lists) changed.set(name, appended(name, changed.get(name), items))
    return Object.fromEntries(changed)
  }
}

/** Returns a copy of the values by name. */
function valuesIn(part: string, values: unknown): [name: string, value: unknown][] {
  if (values === undefined) return []
  if (!isPlain(values)) throw invalid(`${part} must be an object of fields.`)
  const absent = Object.entries(values).find(([, value]) => value === undefined)
  if (absent) throw invalid(`${part} names ${shown(absent[0])} without a value; unset removes a field.`)
  return Object.entries(decodeFields(encodeFields(values)))
}

function namesIn(names: unknown): string[] {
  if (names === undefined) return []
  if (Array.isArray(names) && names.every((name) => typeof name === 'string')) return [...names]
  throw invalid('unset must be a list of names of fields.')
}

function amountsIn(amounts: unknown): [name: string, amount: number | bigint][] {
  const all = valuesIn('increment', amounts)
  const wrong = all.find(([, amount]) => typeof amount !== 'number' && typeof amount !== 'bigint')
  if (wrong) throw invalid(`increment of ${shown(wrong[0])} must be a number or a bigint.`)
  return all as [string, number | bigint][]
}

function sumOf(name: string, value: unknown, amount: number | bigint): number | bigint {
  if (value === undefined) return amount
  if (typeof value === 'number' && typeof amount === 'number') return value + amount
  if (typeof value === 'bigint' && typeof amount === 'bigint') return value + amount
  throw refused(name, `a ${typeof amount} cannot be added to ${typeOf(value)}`)
}

function appended(name: string, list: unknown, items: unknown): unknown[] {
  if (list !== undefined && !Array.isArray(list)) throw refused(name, `${typeOf(list)} is no list`)
  return [...(list ?? []), ...(Array.isArray(items) ? items : [items])]
}

const typeOf = (value: unknown): string =>
  value === null ? 'null' : Array.isArray(value) ? 'a list' : value instanceof Date ? 'a Date' : `a ${typeof value}`

const shown = (name: string): string => name.slice(0, LONGEST_SHOWN)

const invalid = (message: string): SpaceError => new SpaceError('INVALID_ARGUMENT', message)

const refused = (name: string, why: string): SpaceError =>
  new SpaceError('INVALID_ENTRY', `Field ${shown(name)}: ${why}; nothing was changed.`)

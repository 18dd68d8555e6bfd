/**
 * Waiting templates: those for which finds, offers and registrations wait, found by an entry. A template is filed under
 * the value that fewest others name, under a bound of a comparison, or among the rest of its kind: an entry is compared
 * with those alone that are filed under one of its values, or whose bound it keeps.
 */
import type { EncodedCondition, EncodedEntry, EncodedTemplate } from '../../engine.js'
import { compareValues, keyOfValue, valueIn } from '../../entry/holds.js'
import { allTokensOf, alternativesIn, kindsFor } from './indexes.js'
import { matches } from './match.js'
import { Sorted } from './sorted.js'

/** A template, and the line of those that wait with it. It is filed under its tokens, its bound, or neither. */
interface Filed<L> {
  readonly template: EncodedTemplate
  readonly line: L
  readonly number: number
  readonly tokens: readonly string[]
  readonly bound: Bound | undefined
}

/** From this value on, or up to it, entries may match. */
interface Bound {
  readonly field: string
  readonly isUpper: boolean
  readonly value: string
}

export class WaitingTemplates<L> {
  readonly #newLine: () => L
  /** By template, as a text. */
  readonly #all = new Map<string, Filed<L>>()
  readonly #kinds = new Map<string, TemplatesOfKind<L>>()
  #numbers = 0

  constructor(newLine: () => L) {
    this.#newLine = newLine
  }

  /** Returns the line of a template; a new one if none waits with an equal template. */
  lineOf(template: EncodedTemplate): L {
    const text = textOf(template)
    const known = this.#all.get(text)
    if (known) return known.line
    const kind = this.#kinds.get(template.kind) ?? new TemplatesOfKind<L>()
    this.#kinds.set(template.kind, kind)
    const filed = kind.add(template, this.#newLine(), ++this.#numbers)
    this.#all.set(text, filed)
    return filed.line
  }

  /** Removes a template and its line. */
  remove(template: EncodedTemplate): void {
    const text = textOf(template)
    const filed = this.#all.get(text)
    if (!filed) return
    this.#all.delete(text)
    const kind = this.#kinds.get(template.kind)!
    kind.remove(filed)
    if (kind.size === 0) this.#kinds.delete(template.kind)
  }

  /** Yields the lines of the templates that an entry matches. */
  *matching(entry: EncodedEntry): Generator<L, void> {
    if (this.#all.size === 0) return
    for (const name of kindsFor(entry)) {
      const kind = this.#kinds.get(name)
      if (kind) for (const { template, line } of kind.near(entry)) if (matches(template, entry)) yield line
    }
  }
}

class TemplatesOfKind<L> {
  readonly #byToken = new Map<string, Set<Filed<L>>>()
  /** By type and field of their bounds. */
  readonly #byBound = new Map<string, TemplatesByBound<L>>()
  readonly #rest = new Set<Filed<L>>()
  size = 0

  add(template: EncodedTemplate, line: L, number: number): Filed<L> {
    this.size++
    const tokens = this.#rarest(template)
    const bound = tokens.length === 0 ? boundIn(template) : undefined
    const filed: Filed<L> = { template, line, number, tokens, bound }
    for (const token of tokens) {
      const same = this.#byToken.get(token) ?? new Set<Filed<L>>()
      this.#byToken.set(token, same.add(filed))
    }
    if (bound) this.#bounds(bound).add(filed)
    else if (tokens.length === 0) this.#rest.add(filed)
    return filed
  }

  remove(filed: Filed<L>): void {
    this.size--
    for (const token of filed.tokens) {
      const same = this.#byToken.get(token)
      same?.delete(filed)
      if (same?.size === 0) this.#byToken.delete(token)
    }
    if (filed.bound) this.#bounds(filed.bound).delete(filed)
    this.#rest.delete(filed)
  }

  /** Yields the templates that an entry may match. */
  *near(entry: EncodedEntry): Generator<Filed<L>, void> {
    yield* this.#rest
    if (this.#byToken.size > 0) for (const token of allTokensOf(entry)) yield* this.#byToken.get(token) ?? []
    for (const { field, type, lower, upper } of this.#byBound.values()) {
      const value = valueIn(entry, field)
      if (value[0] !== type) continue
      for (const filed of lower.from(() => true)) {
        if (compareValues(filed.bound!.value, value) > 0) break
        yield filed
      }
      yield* upper.from(({ bound }) => compareValues(bound!.value, value) >= 0)
    }
  }

  /** Returns the tokens one of which each match has, and that fewest templates name; [] if the template names none. */
  #rarest(template: EncodedTemplate): readonly string[] {
    let rarest: readonly string[] = []
    let fewest = Number.POSITIVE_INFINITY
    for (const tokens of alternativesIn(template)) {
      const held = tokens.reduce((sum, token) => sum + (this.#byToken.get(token)?.size ?? 0), 0)
      if (held < fewest) [rarest, fewest] = [tokens, held]
    }
    return rarest
  }

  #bounds({ field, isUpper, value }: Bound): Sorted<Filed<L>> {
    const type = value[0]!
    const name = `${type}${field}`
    const lists = this.#byBound.get(name) ?? { field, type, lower: sortedByBound<L>(), upper: sortedByBound<L>() }
    this.#byBound.set(name, lists)
    return isUpper ? lists.upper : lists.lower
  }
}

/** Templates with a bound from which on, and those with one up to which the values of a field match. */
interface TemplatesByBound<L> {
  readonly field: string
  /** The type of the values. */
  readonly type: string
  readonly lower: Sorted<Filed<L>>
  readonly upper: Sorted<Filed<L>>
}

const sortedByBound = <L>(): Sorted<Filed<L>> =>
  new Sorted<Filed<L>>(
    ({ bound }) => keyOfValue(bound!.value)!,
    (a, b) => compareValues(a.bound!.value, b.bound!.value) || a.number - b.number,
  )

/** Returns the bound of the first comparison of a template; undefined if it has none. */
function boundIn({ conditions = [] }: EncodedTemplate): Bound | undefined {
  const comparison = conditions.find(({ isNegated, operator }) => !isNegated && COMPARING.has(operator))
  if (!comparison) return undefined
  const { field, operator, operands } = comparison
  return { field, isUpper: operator === 'lt' || operator === 'lte', value: operands[0]! }
}

const COMPARING: ReadonlySet<EncodedCondition['operator']> = new Set([
  'gt',
  'gte',
  'lt',
  'lte',
  'between',
  'startsWith',
])

/** Returns a template as a text; equal ones have equal texts. */
const textOf = ({ kind, indexed, verified, anyOf, conditions }: EncodedTemplate): string =>
  [kind, indexed.join('|'), verified.join('|'), anyOf?.join('|'), conditions && JSON.stringify(conditions)].join('\t')

/** Definitions of kinds in this process: two of one kind that differ are told to the spaces, once for each kind. */
import { chainOf, type Definition } from './kind.js'
import { Ordered } from './ordered.js'

/** A kind with two definitions, and the options in which they differ. */
export interface DifferingKind {
  readonly kind: string
  readonly differs: readonly string[]
}

/** The parts of a definition that can be compared, by option. Two schemas are equal if their fields have the same names. */
type Shape = Readonly<Record<string, string>>

const shapes = new Map<string, Shape>()
const differing = new Map<string, DifferingKind>()
const listeners = new Set<(found: DifferingKind) => void>()

/** Notes a definition, to compare later ones of its kind with it. */
export function noteDefinition(definition: Definition): void {
  const { kind } = definition
  const shape = shapeOf(definition)
  const known = shapes.get(kind)
  if (!known) shapes.set(kind, shape)
  const differs = Object.keys(shape).filter((option) => known && known[option] !== shape[option])
  if (differs.length === 0 || differing.has(kind)) return
  const found = { kind, differs }
  differing.set(kind, found)
  for (const listener of listeners) listener(found)
}

/**
 * Tells of each kind with two definitions that differ, those so far included.
 * @returns a function that ends that
 */
export function onDifferingKinds(listener: (found: DifferingKind) => void): () => void {
  for (const found of differing.values()) listener(found)
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

const shapeOf = (definition: Definition): Shape => ({
  extends: chainOf(definition).slice(1).join(' '),
  index: JSON.stringify(
    definition.index?.map((item) => (item instanceof Ordered ? { ordered: item.field } : item)) ?? null,
  ),
  partition: definition.partition ?? '',
  schema: definition.schemas ? [...(definition.names ?? [])].sort().join(' ') : '-',
})

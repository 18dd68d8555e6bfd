/** The kinds that this process has defined, by name: an entry that is found by its id says only what it is called. */
import type { Definition } from './kind.js'

const defined = new Map<string, Definition>()

/** Notes a kind; the definition that was made last counts. */
export const noteKind = (definition: Definition): void => void defined.set(definition.kind, definition)

/** Returns the definition of a kind; undefined if this process has made none. */
export const definitionOf = (kind: string): Definition | undefined => defined.get(kind)

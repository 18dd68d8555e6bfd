/** The kinds with a key that this process has defined: a space that moves places their entries by it. */
import { fieldName, kindName } from './token.js'

const keyed = new Map<string, string>()

/** Notes the field that decides the partition of a kind; the definition that was made last counts. */
export const noteKeyedKind = (kind: string, field: string): void => void keyed.set(kindName(kind), fieldName(field))

/** Returns the field that decides the partition, by kind; both as records name them. */
export const keyedKinds = (): ReadonlyMap<string, string> => keyed

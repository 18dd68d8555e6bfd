/** Durability: what an acknowledged call survives (docs/durability.md). */

/**
 * `memory` promises nothing; `local`: the server keeps it in its append-only file; `fsync`: on its disk; `replicated:n`:
 * n replicas have it, too.
 */
export type Durability = 'memory' | 'local' | 'fsync' | `replicated:${number}`

const REPLICATED = /^replicated:([1-9]\d?)$/

/** Returns the number of replicas of a level; 0 for the levels without. */
export const replicasOf = (durability: string): number => Number(REPLICATED.exec(durability)?.[1] ?? 0)

/** Returns whether a text is a level. */
export const isDurability = (text: unknown): text is Durability =>
  typeof text === 'string' && (['memory', 'local', 'fsync'].includes(text) || REPLICATED.test(text))

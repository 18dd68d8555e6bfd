/** Durability: what an acknowledged call survives (docs/durability.md). */

/**
 * `memory` promises nothing; `local`: the server keeps it in its append-only file; `fsync`: on its disk; `replicated:n`:
 * n replicas have it, too.
 */
export type Durability = 'memory' | 'local' | 'fsync' | `replicated:${number}`

const REPLICATED = /^replicated:([1-9]\d?)$/

/** Returns the number of replicas of a level; 0 for the levels without. */
export const replicasOf = (durability: string): number => Number(REPLICATED.exec(durability)?.[1] ?? 0)

const WITHOUT_REPLICAS = ['memory', 'local', 'fsync']
const rankOf = (level: string): number => {
  const replicas = replicasOf(level)
  return replicas > 0 ? WITHOUT_REPLICAS.length + replicas : WITHOUT_REPLICAS.indexOf(level)
}

/** Returns whether a level survives less than another one. */
export const isWeaker = (level: string, than: string): boolean => rankOf(level) < rankOf(than)

/** Returns the level that survives least. */
export const weakestOf = (levels: readonly string[]): string =>
  levels.reduce((weakest, level) => (isWeaker(level, weakest) ? level : weakest))

/** Returns whether a text is a level. */
export const isDurability = (text: unknown): text is Durability =>
  typeof text === 'string' && (WITHOUT_REPLICAS.includes(text) || REPLICATED.test(text))

/** Names of a space's keys. All begin with one hash tag, so a Cluster keeps them in one slot (KEYS in protocol.ts). */
import { KEYS } from './key-names.js'
import { partitionTag } from './slot.js'

export interface Keys {
  /** The beginning of every key, and of no key of another space. */
  readonly prefix: string
  /** The key that every batch declares; the library makes all others from its prefix. */
  readonly counters: string
  /** The keys with the partitions of a space on a Cluster, and with those that it moves to. */
  readonly partitions: string
  readonly nextPartitions: string
  /** The keys with the phases of a move from here and of one to here. */
  readonly move: string
  readonly origin: string
  /** The key that is written before a question to the replicas. */
  readonly level: string
  /**
   * Two keys that are never written. A node of a Cluster refuses a call that declares them with the counters (TRYAGAIN),
   * and so runs nothing of it, while it gives the slot away or takes it over: some keys are here and some are not. One
   * such key would pass at the node that takes over.
   */
  readonly never: readonly string[]
  /** Channel of the pushes to a process. */
  pushes(presence: string): string
  /** Channel of the messages from other processes. */
  messages(presence: string): string
  /** Body too large to pass through a function. */
  body(id: string): string
  /** Body of an outcome, by claim: a late outcome of a former holder must not replace the accepted one. */
  outcomeBody(claim: string): string
  session(id: string): string
}

/** Partition: one of the parts of a space on a Cluster. */
export interface Partition {
  readonly index: number
  readonly count: number
  /** How often the partitions of the space had been replaced: those before them have other keys. Default 0. */
  readonly generation?: number
}

/** Returns the keys of a space of this name, or of a partition of it. */
export function keysOf(space: string, partition?: Partition): Keys {
  // Percent-encoding leaves no brace and no slash in the name, so it cannot change the hash tag.
  const base = `ts:${encodeURIComponent(space)}`
  const prefix = `{${partition ? partitionTag(base, partition.index, partition.count, partition.generation) : base}}:`
  const named =
    ({ name }: { readonly name: string }) =>
    (of: string): string =>
      `${prefix}${name}${of}`
  return {
    prefix,
    counters: `${prefix}${KEYS.counters.name}`,
    partitions: `${prefix}${KEYS.partitions.name}`,
    nextPartitions: `${prefix}${KEYS.nextPartitions.name}`,
    move: `${prefix}${KEYS.move.name}`,
    origin: `${prefix}${KEYS.origin.name}`,
    level: `${prefix}${KEYS.level.name}`,
    never: [1, 2].map((n) => `${prefix}never:${n}`),
    pushes: named(KEYS.pushes),
    messages: named(KEYS.messages),
    body: named(KEYS.body),
    outcomeBody: named(KEYS.body),
    session: named(KEYS.session),
  }
}

/** Returns the pattern of all keys with a prefix: a name may have the wildcard of patterns. */
export const patternOf = (prefix: string): string => `${prefix.replace(/[*\\]/g, '\\$&')}*`

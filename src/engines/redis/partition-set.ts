/** A set of partitions: how many a space has, and how often they have been replaced, as the space keeps it. */
import type { Partition } from './keys.js'

export interface PartitionSet {
  readonly count: number
  /** 0 for those that the space had first. */
  readonly generation: number
}

/** Returns the set of a stored text: `COUNT`, or `COUNT/GENERATION`. Undefined without one. */
export function readSet(text: unknown): PartitionSet | undefined {
  const [, count, generation = '0'] = /^(\d+)(?:\/(\d+))?$/.exec(typeof text === 'string' ? text : '') ?? []
  return count === undefined ? undefined : { count: Number(count), generation: Number(generation) }
}

export const textOfSet = ({ count, generation }: PartitionSet): string =>
  generation === 0 ? String(count) : `${count}/${generation}`

/** Returns the partitions of a set; one that is undefined if it is the whole space under its own tag. */
export function partitionsIn({ count, generation }: PartitionSet): readonly (Partition | undefined)[] {
  if (count === 1 && generation === 0) return [undefined]
  return Array.from({ length: count }, (_, index) => ({ index, count, generation }))
}

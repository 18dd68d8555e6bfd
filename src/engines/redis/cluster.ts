/** A space on a Cluster: one engine for each partition, wherever its slot is. */
import { v7 as uuidv7 } from 'uuid'
import type { Bounds } from '../../engine/bounds.js'
import type { Engine } from '../../engine.js'
import { allOrNone } from '../../runtime/all-or-none.js'
import { PartitionedEngine } from '../partitions/index.js'
import { FixedPlacement } from '../partitions/placement.js'
import { RedisEngine, type RedisOptions } from './index.js'
import type { Partition } from './keys.js'
import { agreedCount } from './partition-count.js'
import { addressOf } from './wire/address.js'

/** Returns the bounds of one of several partitions. */
export const boundsOfEach = ({ maxEntries, maxBytes }: Bounds, count: number): Bounds => ({
  ...(maxEntries !== undefined && { maxEntries: Math.ceil(maxEntries / count) }),
  ...(maxBytes !== undefined && { maxBytes: Math.ceil(maxBytes / count) }),
})

/**
 * Returns the partitions of a space at an address; one that is undefined if it has only one.
 *
 * @param asked their number on a Cluster; undefined: that of the space, and for a new space one for each primary
 * @throws SpaceError PARTITIONS_DIFFER
 */
export async function partitionsAt(
  url: string,
  options: RedisOptions,
  asked: number | undefined,
): Promise<readonly (Partition | undefined)[]> {
  if (addressOf(url, options.access).seeds?.of !== 'cluster') return [undefined]
  const count = await agreedCount(url, options, asked)
  return count === 1 ? [undefined] : Array.from({ length: count }, (_, index) => ({ index, count }))
}

/**
 * Opens a space on a Cluster, in all of its partitions.
 *
 * @param asked the number of partitions; undefined: that of the space, and for a new space one for each primary
 * @throws SpaceError as RedisEngine.open(), and PARTITIONS_DIFFER
 */
export async function openOnCluster(url: string, options: RedisOptions, asked: number | undefined): Promise<Engine> {
  const partitions = await partitionsAt(url, options, asked)
  if (partitions.length === 1) return RedisEngine.open(url, options)
  const presence = uuidv7(undefined, Buffer.alloc(16)).toString('base64url')
  const bounds = boundsOfEach(options.bounds, partitions.length)
  const opening = partitions.map((partition) => RedisEngine.open(url, { ...options, bounds, presence, partition }))
  const members = await allOrNone(opening, (member) => member.close())
  const isReachable = (partition: number): boolean => members[partition]!.isReachable
  const placement = new FixedPlacement(members.length, presence, isReachable, members[0]!.moves.hasMovedHere)
  return new PartitionedEngine(members, placement)
}

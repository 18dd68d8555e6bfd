/** A space on a Cluster: one engine for each partition, wherever its slot is. */
import { v7 as uuidv7 } from 'uuid'
import type { Bounds } from '../../engine/bounds.js'
import type { Engine } from '../../engine.js'
import { isSpaceError } from '../../errors.js'
import { allOrNone } from '../../runtime/all-or-none.js'
import { PartitionedEngine } from '../partitions/index.js'
import { FixedPlacement } from '../partitions/placement.js'
import { RedisEngine } from './index.js'
import type { RedisOptions } from './options.js'
import { agreedSet } from './partition-count.js'
import { type PartitionSet, partitionsIn } from './partition-set.js'

/** Returns the bounds of one of several partitions. */
export const boundsOfEach = ({ maxEntries, maxBytes }: Bounds, count: number): Bounds => ({
  ...(maxEntries !== undefined && { maxEntries: Math.ceil(maxEntries / count) }),
  ...(maxBytes !== undefined && { maxBytes: Math.ceil(maxBytes / count) }),
})

/**
 * Opens a space on a Cluster, in all of its partitions.
 *
 * @param asked the number of partitions; undefined: that of the space, and for a new space one for each primary
 * @throws SpaceError as RedisEngine.open(), and PARTITIONS_DIFFER
 */
export async function openOnCluster(url: string, options: RedisOptions, asked: number | undefined): Promise<Engine> {
  const set = await agreedSet(url, options, asked)
  try {
    return await openSet(url, options, set)
  } catch (error) {
    if (!isSpaceError(error, 'SPACE_MOVES')) throw error
    // The space may have got other partitions at that moment.
    const now = await agreedSet(url, options, asked)
    if (now.generation === set.generation) throw error
    return openSet(url, options, now)
  }
}

async function openSet(url: string, options: RedisOptions, set: PartitionSet): Promise<Engine> {
  const partitions = partitionsIn(set)
  if (partitions.length === 1) return RedisEngine.open(url, { ...options, partition: partitions[0] })
  const presence = uuidv7(undefined, Buffer.alloc(16)).toString('base64url')
  const bounds = boundsOfEach(options.bounds, partitions.length)
  const opening = partitions.map((partition) => RedisEngine.open(url, { ...options, bounds, presence, partition }))
  const members = await allOrNone(opening, (member) => member.close())
  const isReachable = (partition: number): boolean => members[partition]!.isReachable
  return new PartitionedEngine(members, new FixedPlacement(members.length, presence, isReachable, set.generation))
}

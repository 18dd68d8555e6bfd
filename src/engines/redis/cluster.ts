/** A space on a Cluster: one engine for each partition, wherever its slot is. */
import { v7 as uuidv7 } from 'uuid'
import type { Bounds } from '../../engine/bounds.js'
import type { Engine } from '../../engine.js'
import { allOrNone } from '../../runtime/all-or-none.js'
import { PartitionedEngine } from '../partitions/index.js'
import { RedisEngine, type RedisOptions } from './index.js'
import { agreedCount } from './partition-count.js'

/** Returns the bounds of one of several partitions. */
const boundsOfEach = ({ maxEntries, maxBytes }: Bounds, count: number): Bounds => ({
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
  const count = await agreedCount(url, options, asked)
  if (count === 1) return RedisEngine.open(url, options)
  const presence = uuidv7(undefined, Buffer.alloc(16)).toString('base64url')
  const bounds = boundsOfEach(options.bounds, count)
  const opening = Array.from({ length: count }, (_, index) =>
    RedisEngine.open(url, { ...options, bounds, presence, partition: { index, count } }),
  )
  return new PartitionedEngine(await allOrNone(opening, (member) => member.close()))
}

/** The partitions of a space on a Cluster: their number is kept in the space, and decided by its first process. */
import { monotonicMs } from '../../clock.js'
import type { Access } from '../../engine/access.js'
import { isSpaceError, SpaceError } from '../../errors.js'
import { keysOf, type Partition } from './keys.js'
import { type PartitionSet, partitionsIn, readSet, textOfSet } from './partition-set.js'
import { addressOf } from './wire/address.js'
import type { Commands } from './wire/commands.js'
import { lookAt } from './wire/look.js'
import { primariesIn } from './wire/primary.js'

const REPLICATED_WITHIN_MS = '1000'
const RETRY_MS = 100

export interface CountTerms {
  readonly name: string
  readonly connectTimeoutMs: number
  readonly access: Access
}

export const isOnCluster = (url: string, access?: Access): boolean => addressOf(url, access).seeds?.of === 'cluster'

/**
 * Returns the partitions that the space has; a new space gets the number that was asked for, and without one a partition
 * for each primary.
 * @throws SpaceError PARTITIONS_DIFFER, SPACE_MOVES; as openLook()
 */
export async function agreedSet(url: string, terms: CountTerms, asked: number | undefined): Promise<PartitionSet> {
  const { name, connectTimeoutMs, access } = terms
  const { partitions, nextPartitions } = keysOf(name)
  const wanted = asked ?? addressOf(url, access).partitions
  const set = await untilReachable(connectTimeoutMs, (ms) =>
    lookAt(url, ms, partitions, (client) => decided(client, partitions, nextPartitions, wanted), access),
  )
  if (wanted === undefined || wanted === set.count) return set
  throw new SpaceError('PARTITIONS_DIFFER', `It has ${set.count}, not ${wanted}: leave the number out.`)
}

/** Returns the parts of a space, without making it: one that is undefined if it has no partitions. */
export async function partsOf(
  url: string,
  name: string,
  timeoutMs: number,
): Promise<readonly (Partition | undefined)[]> {
  if (!isOnCluster(url)) return [undefined]
  const { partitions } = keysOf(name)
  const known = await lookAt(url, timeoutMs, partitions, (client) => client.call('GET', partitions))
  return partitionsIn(readSet(known) ?? { count: 1, generation: 0 })
}

/** Tries again until it succeeds, is refused for good, or the time is over. */
export async function untilReachable<T>(timeoutMs: number, attempt: (ms: number) => Promise<T>): Promise<T> {
  const until = monotonicMs() + timeoutMs
  for (;;) {
    try {
      return await attempt(Math.max(until - monotonicMs(), 1))
    } catch (error) {
      if (!isSpaceError(error) || !error.retryable || monotonicMs() + RETRY_MS >= until) throw error
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    }
  }
}

/** Stores a set under a key, and returns the one that is there then. @param only if given, NX: only if there is none */
export async function storeSet(client: Commands, key: string, set: PartitionSet, only?: 'NX'): Promise<PartitionSet> {
  await client.call('SET', key, textOfSet(set), ...(only ? [only] : []))
  // A failover should not lose it: then it would be decided again.
  await client.call('WAIT', '1', REPLICATED_WITHIN_MS)
  return readSet(await client.call('GET', key)) ?? set
}

async function decided(client: Commands, key: string, next: string, wanted: number | undefined): Promise<PartitionSet> {
  const known = readSet(await client.call('GET', key))
  if (known) return known
  if ((await client.call('GET', next)) !== null) {
    throw new SpaceError('SPACE_MOVES', 'It is not all here yet: give the old address as url, this one as nextUrl.')
  }
  // One decides, if several processes make the space at once.
  return storeSet(client, key, { count: wanted ?? (await primariesIn(client)), generation: 0 }, 'NX')
}

/** The partitions of a space on a Cluster: their number is kept in the space, and decided by its first process. */
import { monotonicMs } from '../../clock.js'
import type { Access } from '../../engine/access.js'
import { isSpaceError, SpaceError } from '../../errors.js'
import { keysOf, type Partition } from './keys.js'
import { addressOf } from './wire/address.js'
import { type LookingClient, lookAt } from './wire/look.js'
import { primariesIn } from './wire/primary.js'

const REPLICATED_WITHIN_MS = '1000'
const RETRY_MS = 100

export interface CountTerms {
  readonly name: string
  readonly connectTimeoutMs: number
  readonly access: Access
}

/**
 * Returns the number of partitions that the space has; a new space gets the number that was asked for, and without one
 * a partition for each primary.
 * @throws SpaceError PARTITIONS_DIFFER; as openLook()
 */
export async function agreedCount(url: string, terms: CountTerms, asked: number | undefined): Promise<number> {
  const { name, connectTimeoutMs, access } = terms
  const { partitions } = keysOf(name)
  const wanted = asked ?? addressOf(url, access).partitions
  const count = await untilReachable(connectTimeoutMs, (ms) =>
    lookAt(url, ms, partitions, (client) => decided(client, partitions, wanted), access),
  )
  if (wanted === undefined || wanted === count) return count
  throw new SpaceError('PARTITIONS_DIFFER', `It has ${count}, not ${wanted}: leave the number out.`)
}

/** Returns the parts of a space, without making it: one that is undefined if it has no partitions. */
export async function partsOf(
  url: string,
  name: string,
  timeoutMs: number,
): Promise<readonly (Partition | undefined)[]> {
  if (addressOf(url).seeds?.of !== 'cluster') return [undefined]
  const { partitions } = keysOf(name)
  const known = await lookAt(url, timeoutMs, partitions, (client) => client.call('GET', partitions))
  const count = Number(known ?? 1)
  return count === 1 ? [undefined] : Array.from({ length: count }, (_, index) => ({ index, count }))
}

/** Tries again until it succeeds, is refused for good, or the time is over. */
async function untilReachable<T>(timeoutMs: number, attempt: (ms: number) => Promise<T>): Promise<T> {
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

async function decided(client: LookingClient, key: string, wanted: number | undefined): Promise<number> {
  const known = await client.call('GET', key)
  if (known !== null) return Number(known)
  const count = wanted ?? (await primariesIn(client))
  // One decides, if several processes make the space at once.
  await client.call('SET', key, String(count), 'NX')
  // A failover should not lose it: then it would be decided again.
  await client.call('WAIT', '1', REPLICATED_WITHIN_MS)
  return Number(await client.call('GET', key))
}

/** The partitions that a space moves to: decided by the first process that has both addresses, and its own at the end. */
import { SpaceError } from '../../errors.js'
import { KEYS } from './key-names.js'
import { keysOf, type Partition } from './keys.js'
import { agreedSet, type CountTerms, isOnCluster, storeSet, untilReachable } from './partition-count.js'
import { type PartitionSet, partitionsIn, readSet, textOfSet } from './partition-set.js'
import { PHASE } from './protocol.js'
import { addressOf } from './wire/address.js'
import { type LookingClient, lookAt } from './wire/look.js'
import { primariesIn } from './wire/primary.js'

/** What a space moves from, or to. */
export interface MoveEnd extends PartitionSet {
  readonly partitions: readonly (Partition | undefined)[]
}

export interface MoveEnds {
  readonly old: MoveEnd
  readonly fresh: MoveEnd
  /** Both are on one Cluster. */
  readonly isWithin: boolean
}

/** The partitions at an address, as they are kept there. */
interface Kept {
  readonly current: PartitionSet | undefined
  readonly next: PartitionSet | undefined
  /** The run id of the server that has the key. */
  readonly run: string
}

/**
 * Returns the partitions that a space moves between; null if it is at the new ones already, on the same Cluster.
 *
 * @param asked the number of the old ones
 * @throws SpaceError PARTITIONS_DIFFER, INVALID_ARGUMENT if the new address has entries of another space
 */
export async function endsOfMove(
  url: string,
  nextUrl: string,
  terms: CountTerms,
  asked: number | undefined,
): Promise<MoveEnds | null> {
  const [isOldCluster, isNewCluster] = [isOnCluster(url, terms.access), isOnCluster(nextUrl, terms.access)]
  const [here, there] = await Promise.all([keptAt(url, terms), keptAt(nextUrl, terms)])
  const isWithin = isOldCluster && isNewCluster && here.run === there.run
  const wanted = isNewCluster ? await wantedAt(nextUrl, terms) : 1
  if (isWithin && there.current && !there.next && there.current.count === wanted) return null
  const old = isOldCluster
    ? await agreedSet(url, terms, asked)
    : { count: 1, generation: here.current?.generation ?? 0 }
  // A new space has got as many just now.
  if (isWithin && !there.next && old.count === wanted) return null
  const oldEnd = { ...old, partitions: isOldCluster ? partitionsIn(old) : [undefined] }
  const plain: MoveEnd = { count: 1, generation: old.generation + 1, partitions: [undefined] }
  if (!isNewCluster) return { old: oldEnd, fresh: plain, isWithin: false }
  const isFirst = !isWithin && wanted === 1 && old.generation === 0 && (there.current?.generation ?? 0) === 0
  // As in releases that knew one new partition only.
  if (isFirst && (there.current?.count ?? 1) === 1 && !there.next) {
    await agreedSet(nextUrl, terms, 1)
    return { old: oldEnd, fresh: plain, isWithin: false }
  }
  const fresh = await untilReachable(terms.connectTimeoutMs, (ms) =>
    nextSet({ url, nextUrl, terms: { ...terms, connectTimeoutMs: ms }, old: oldEnd, isWithin, wanted }),
  )
  // It has moved meanwhile.
  if (!fresh) return endsOfMove(url, nextUrl, terms, asked)
  return { old: oldEnd, fresh: { ...fresh, partitions: partitionsIn(fresh) }, isWithin }
}

/** Returns whether releases without generations know these new partitions. */
const isPlain = ({ partitions, generation }: MoveEnd): boolean => !partitions[0] && generation === 1

/** Returns the name of the new partitions that processes of a move compare; '' in releases without generations. */
export const targetOf = (fresh: MoveEnd): string => (isPlain(fresh) ? '' : textOfSet(fresh))

/** Makes the new partitions those of the space. */
export async function settleAt(nextUrl: string, terms: CountTerms, fresh: MoveEnd): Promise<void> {
  const { name, connectTimeoutMs, access } = terms
  const { partitions, nextPartitions } = keysOf(name)
  if (isPlain(fresh)) return
  const settle = async (client: LookingClient): Promise<void> => {
    const current = readSet(await client.call('GET', partitions))
    if ((current?.generation ?? 0) < fresh.generation) {
      if (fresh.partitions[0]) await storeSet(client, partitions, fresh)
      else await client.call('SET', partitions, textOfSet(fresh))
    }
    const next = readSet(await client.call('GET', nextPartitions))
    if (next && next.generation <= fresh.generation) await client.call('UNLINK', nextPartitions)
  }
  await untilReachable(connectTimeoutMs, (ms) => lookAt(nextUrl, ms, partitions, settle, access))
}

/** Returns what an address keeps of the partitions of the space. A next set that has become the current one is none. */
function keptAt(url: string, { name, connectTimeoutMs, access }: CountTerms): Promise<Kept> {
  const { partitions, nextPartitions } = keysOf(name)
  const look = async (client: LookingClient): Promise<Kept> => {
    const run = /^run_id:(\S+)/m.exec(await client.info())?.[1] ?? ''
    const next = readSet(await client.call('GET', nextPartitions))
    const current = readSet(await client.call('GET', partitions))
    return { current, next: next && next.generation > (current?.generation ?? 0) ? next : undefined, run }
  }
  return untilReachable(connectTimeoutMs, (ms) => lookAt(url, ms, partitions, look, access))
}

function wantedAt(nextUrl: string, { name, connectTimeoutMs, access }: CountTerms): Promise<number> | number {
  const count = addressOf(nextUrl, access).partitions
  if (count !== undefined) return count
  const { partitions } = keysOf(name)
  return untilReachable(connectTimeoutMs, (ms) => lookAt(nextUrl, ms, partitions, primariesIn, access))
}

interface NextTerms {
  readonly url: string
  readonly nextUrl: string
  readonly terms: CountTerms
  readonly old: MoveEnd
  readonly isWithin: boolean
  readonly wanted: number
}

/** Returns undefined if the space has moved within its Cluster since the old partitions were looked up. */
async function nextSet({ url, nextUrl, terms, old, isWithin, wanted }: NextTerms): Promise<PartitionSet | undefined> {
  const { partitions, nextPartitions } = keysOf(terms.name)
  const { current, next } = await keptAt(nextUrl, terms)
  // It has moved there before.
  if (current && current.generation > old.generation) return isWithin ? undefined : current
  const isNamed = addressOf(nextUrl, terms.access).partitions !== undefined
  if (next && next.generation > old.generation) {
    if (!isNamed || next.count === wanted) return next
    if ((await phaseAt(url, terms, old)) >= PHASE.moving) throw differs(next.count, wanted)
  } else if (!isWithin && current) {
    await checkUnused(nextUrl, terms, current)
  }
  const before = Math.max(old.generation, current?.generation ?? 0, next?.generation ?? 0)
  const made = { count: wanted, generation: before + 1 }
  // One decides, if several processes are the first. A number that nothing has moved to yet may be replaced.
  const store = async (client: LookingClient): Promise<PartitionSet | undefined> => {
    const stored = await storeSet(client, nextPartitions, made, next ? undefined : 'NX')
    const since = readSet(await client.call('GET', partitions))
    return (since?.generation ?? 0) < stored.generation ? stored : undefined
  }
  const stored = await lookAt(nextUrl, terms.connectTimeoutMs, partitions, store, terms.access)
  if (stored && isNamed && stored.count !== wanted) throw differs(stored.count, wanted)
  return stored
}

const differs = (count: number, wanted: number): SpaceError =>
  new SpaceError('PARTITIONS_DIFFER', `It moves to ${count}, not ${wanted}: leave the number out.`)

async function phaseAt(url: string, { name, connectTimeoutMs, access }: CountTerms, old: MoveEnd): Promise<number> {
  const { counters, move } = keysOf(name, old.partitions[0])
  return Number(await lookAt(url, connectTimeoutMs, counters, (client) => client.call('GET', move), access))
}

/** @throws SpaceError INVALID_ARGUMENT if a space of this name is there, and has not left */
async function checkUnused(url: string, { name, connectTimeoutMs, access }: CountTerms, set: PartitionSet) {
  for (const partition of partitionsIn(set)) {
    const { counters, move, prefix } = keysOf(name, partition)
    const isUsed = async (client: LookingClient): Promise<boolean> => {
      if (Number(await client.call('GET', move)) === PHASE.moved) return false
      const holding = [KEYS.entries, KEYS.sessions, KEYS.presences].map((key) => `${prefix}${key.name}`)
      return Number(await client.call('EXISTS', ...holding)) > 0
    }
    if (!(await lookAt(url, connectTimeoutMs, counters, isUsed, access))) continue
    throw new SpaceError(
      'INVALID_ARGUMENT',
      'The new address has entries or processes of a space of this name: a space moves into an empty one.',
    )
  }
}

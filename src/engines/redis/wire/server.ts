/** Examines a server: whether takespace supports it, and how durable it is. */

import type { MemoryOfStore } from '../../../engine.js'
import { SpaceError } from '../../../errors.js'
import type { Commands } from './commands.js'

export interface Server {
  /**
   * The run id. Another run id means a restart or another server: batches that ran there belong to another history.
   */
  readonly run: string
  readonly version: string
  readonly isCluster: boolean
  readonly durability: 'memory' | 'local' | 'fsync'
  /** The replicas that are connected to it. */
  readonly replicas: number
}

/**
 * Returns what takespace needs to know of a server. `key` is a key of the space. `isFound`: others told that it is the
 * primary, so another role is a matter of time.
 * @throws SpaceError REDIS_TOO_OLD, REDIS_EVICTS, REDIS_UNSUITABLE; the client's error if the server is LOADING, or a
 *   cluster does not serve the key
 */
export async function examine(redis: Commands, key: string, isFound: boolean): Promise<Server> {
  const info = fieldsOf(await redis.info())
  const role = unsuitableRole(info)
  if (role && isFound) throw new Error(`READONLY ${role}`)
  if (role) throw new SpaceError('REDIS_UNSUITABLE', role)
  const version = info.get('valkey_version') ?? info.get('redis_version') ?? '0'
  const major = Number.parseInt(version, 10)
  if (!(major >= 7)) throw new SpaceError('REDIS_TOO_OLD', `This one is ${version}.`)
  if (info.get('loading') === '1') throw new Error('LOADING the server is reading its data')
  // A node of a cluster refuses a key of another node.
  if (isCluster(info)) await redis.call('EXISTS', key)
  const policy = evictionIn(info)
  if (policy) throw new SpaceError('REDIS_EVICTS', `It is ${policy} now.`)
  return {
    run: info.get('run_id') ?? '',
    isCluster: isCluster(info),
    version,
    ...(await levelOf(redis, info)),
  }
}

/** Returns what a server keeps by itself, and its replicas. */
export async function levelOf(
  redis: Commands,
  info: ReadonlyMap<string, string>,
): Promise<Pick<Server, 'durability' | 'replicas'>> {
  const aof = info.get('aof_enabled') === '1'
  return {
    replicas: Number(info.get('connected_slaves') ?? 0),
    durability: !aof ? 'memory' : (await syncsAlways(redis)) ? 'fsync' : 'local',
  }
}

/** Returns why a server of this role cannot hold a space, and what to do; undefined if it can. */
export function unsuitableRole(info: ReadonlyMap<string, string>): string | undefined {
  if (info.get('redis_mode') === 'sentinel') {
    return 'It is a Sentinel: write redis+sentinel://host:port/NAME, with the name of the primary (SENTINEL MASTERS).'
  }
  if (info.get('role') !== 'slave') return undefined
  const master = [info.get('master_host'), info.get('master_port')].join(':')
  return `It is a replica of ${master}: give the address of its master.`
}

export const isCluster = (info: ReadonlyMap<string, string>): boolean =>
  info.get('cluster_enabled') === '1' || info.get('redis_mode') === 'cluster'

/** Returns the policy by which a full server evicts keys; undefined if it evicts none. */
function evictionIn(info: ReadonlyMap<string, string>): string | undefined {
  const policy = info.get('maxmemory_policy')
  return policy === 'noeviction' ? undefined : policy
}

/** What INFO tells of the memory. */
export interface SeenMemory {
  /** The policy by which a full server evicts keys; undefined if it evicts none. */
  readonly policy: string | undefined
  readonly bytes: MemoryOfStore
}

export const memoryIn = (info: ReadonlyMap<string, string>): SeenMemory => ({
  policy: evictionIn(info),
  bytes: { usedBytes: Number(info.get('used_memory') ?? 0), limitBytes: Number(info.get('maxmemory') ?? 0) },
})

async function syncsAlways(redis: Commands): Promise<boolean> {
  // Managed servers forbid CONFIG; a level that cannot be read is not promised.
  const answer = (await redis.call('CONFIG', 'GET', 'appendfsync').catch(() => [])) as string[]
  return answer[1] === 'always'
}

/** Returns the fields of an INFO reply. */
export function fieldsOf(info: string): Map<string, string> {
  const fields = new Map<string, string>()
  for (const line of info.split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1))
  }
  return fields
}

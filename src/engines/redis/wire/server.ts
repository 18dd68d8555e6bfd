/** What a server says of itself: whether takespace can stand on it, and how durable it is. */

import { SpaceError } from '../../../errors.js'
import type { Commands } from './commands.js'

export interface Server {
  /** Another one means: restarted, or another server; what ran there is another history. */
  readonly run: string
  readonly version: string
  readonly durability: 'memory' | 'local' | 'fsync'
}

/** @throws SpaceError REDIS_TOO_OLD, REDIS_EVICTS; the client's error while it is LOADING or is a replica */
export async function examine(redis: Commands): Promise<Server> {
  const info = fieldsOf(await redis.info())
  const version = info.get('valkey_version') ?? info.get('redis_version') ?? '0'
  const major = Number.parseInt(version, 10)
  if (!(major >= 7)) throw new SpaceError('REDIS_TOO_OLD', `This one is ${version}.`)
  if (info.get('loading') === '1') throw new Error('LOADING the server is reading its data')
  if (info.get('role') === 'slave') throw new Error('READONLY the server is a replica')
  const policy = evictionIn(info)
  if (policy) throw new SpaceError('REDIS_EVICTS', `It is ${policy} now.`)
  const aof = info.get('aof_enabled') === '1'
  return {
    run: info.get('run_id') ?? '',
    version,
    durability: !aof ? 'memory' : (await syncsAlways(redis)) ? 'fsync' : 'local',
  }
}

/** The policy by which it throws keys away when it is full; undefined: it does not. */
export function evictionIn(info: ReadonlyMap<string, string>): string | undefined {
  const policy = info.get('maxmemory_policy')
  return policy === 'noeviction' ? undefined : policy
}

async function syncsAlways(redis: Commands): Promise<boolean> {
  // Managed servers forbid CONFIG; what cannot be read is not promised.
  const answer = (await redis.call('CONFIG', 'GET', 'appendfsync').catch(() => [])) as string[]
  return answer[1] === 'always'
}

/** The fields that INFO tells. */
export function fieldsOf(info: string): Map<string, string> {
  const fields = new Map<string, string>()
  for (const line of info.split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1))
  }
  return fields
}

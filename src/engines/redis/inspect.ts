/** Inspects a server for `takespace doctor`: its version and settings. Changes nothing and refuses no server. */

import { monotonicMs, wallMs } from '../../clock.js'
import { SpaceError } from '../../errors.js'
import { inspectNodes, type Surroundings } from './inspect-nodes.js'
import { inspectSentinels, type SentinelView } from './inspect-sentinels.js'
import { keysOf } from './keys.js'
import { addressOf } from './wire/address.js'
import type { Commands } from './wire/commands.js'
import { ensureLibrary, LIBRARY_NAME, type LibraryState, libraryState, missingRights } from './wire/library.js'
import { atEachPrimary, lookAt } from './wire/look.js'
import { fieldsOf, isCluster, unsuitableRole } from './wire/server.js'

/** A field is null if the server does not report it or this user may not read it. */
export interface Inspection {
  readonly version: string
  readonly role: string | null
  /** Why a server of this role cannot hold a space; null if it can. */
  readonly unsuitable: string | null
  /** The error of a cluster that does not serve the keys of the space; null without one. */
  readonly slotError: string | null
  readonly policy: string | null
  readonly aof: boolean
  readonly appendfsync: string | null
  readonly maxmemory: number
  readonly usedMemory: number
  /** The libraries of takespace that are loaded, and the library that this release needs. */
  readonly libraries: readonly string[] | null
  readonly ownLibrary: string
  readonly ownLibraryState: LibraryState | null
  /** The commands of the library that this user may not run, and that the server lacks; null if it is not loaded. */
  readonly missing: Awaited<ReturnType<typeof missingRights>> | null
  /** The server's clock minus this process's clock. */
  readonly clockOffsetMs: number
  /** The median of ROUND_TRIPS round trips. */
  readonly latencyMs: number
  readonly connections: number
  readonly maxConnections: number | null
  readonly surroundings: Surroundings
  /** Null without Sentinels in the address. */
  readonly sentinels: SentinelView | null
}

const ROUND_TRIPS = 9

/** @throws SpaceError SPACE_UNREACHABLE, REDIS_REFUSED, REDIS_UNSUITABLE, TLS_FAILED, URL_UNKNOWN */
export const inspect = (url: string, name: string, timeoutMs: number): Promise<Inspection> =>
  lookAt(url, timeoutMs, keysOf(name).counters, async (redis) => {
    const address = addressOf(url)
    const { counters } = keysOf(name)
    const info = fieldsOf(await redis.info())
    const unsuitable = unsuitableRole(info) ?? null
    // A Sentinel has none of the commands below.
    if (info.get('redis_mode') === 'sentinel') throw new SpaceError('REDIS_UNSUITABLE', unsuitable ?? '')
    const slotError = isCluster(info) ? await errorOf(redis.call('EXISTS', counters)) : null
    const setting = (name: string) => ask<string[]>(redis, 'CONFIG', 'GET', name).then((pair) => pair?.[1] ?? null)
    const listed = await ask<[string, string][]>(redis, 'FUNCTION', 'LIST', 'LIBRARYNAME', 'takespace_*')
    const ownLibraryState = await libraryState(redis).catch(() => null)
    const isLoaded = ownLibraryState === 'loaded' && slotError === null
    const missing = isLoaded ? await missingRights(redis, counters).catch(deniedCall) : null
    const maxConnections = info.get('maxclients') ?? (await setting('maxclients'))
    return {
      version: info.get('valkey_version') ?? info.get('redis_version') ?? '0',
      role: info.get('role') ?? null,
      unsuitable,
      slotError,
      policy: info.get('maxmemory_policy') ?? null,
      aof: info.get('aof_enabled') === '1',
      appendfsync: await setting('appendfsync'),
      maxmemory: Number(info.get('maxmemory') ?? 0),
      usedMemory: Number(info.get('used_memory') ?? 0),
      libraries: listed?.map(([, name]) => name) ?? null,
      ownLibrary: LIBRARY_NAME,
      ownLibraryState,
      missing,
      ...(await clockOf(redis)),
      connections: Number(info.get('connected_clients') ?? 0),
      maxConnections: maxConnections === null ? null : Number(maxConnections),
      sentinels: await inspectSentinels(address),
      surroundings: await inspectNodes(redis, info, address),
    }
  })

/** Loads the function library if the server lacks it, and returns its name. @throws as inspect() */
export async function loadLibrary(url: string, timeoutMs: number): Promise<string> {
  await atEachPrimary(url, timeoutMs, (redis) => ensureLibrary(redis, () => {}))
  return LIBRARY_NAME
}

const ask = <T>(redis: Commands, command: string, ...args: string[]): Promise<T | null> =>
  redis.call(command, ...args).then(
    (answer) => answer as T,
    () => null,
  )

const errorOf = (asked: Promise<unknown>): Promise<string | null> =>
  asked.then(
    () => null,
    (error: Error) => error.message,
  )

/** The rights of a user who may not call functions, as an observer, or has no keys of the space. */
const deniedCall = ({ message }: Error): Inspection['missing'] => ({
  denied: [/no permissions to run/.test(message) ? 'FCALL' : 'FCALL on the keys of the space'],
  lacking: [],
})

async function clockOf(redis: Commands): Promise<Pick<Inspection, 'clockOffsetMs' | 'latencyMs'>> {
  const trips: { ms: number; offset: number }[] = []
  for (let i = 0; i < ROUND_TRIPS; i++) {
    const since = monotonicMs()
    const [seconds, micros] = await redis.time()
    const ms = monotonicMs() - since
    trips.push({ ms, offset: Number(seconds) * 1000 + Number(micros) / 1000 - (wallMs() - ms / 2) })
  }
  trips.sort((a, b) => a.ms - b.ms)
  // The fastest round trip bounds most tightly when the server read its clock.
  return { latencyMs: trips[ROUND_TRIPS >> 1]?.ms ?? 0, clockOffsetMs: Math.round(trips[0]?.offset ?? 0) }
}

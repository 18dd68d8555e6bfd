/** openSpace: opens a space by its address. The only file that names the engines. */

import type { Access } from './engine/access.js'
import { type Bounds, checkedBounds } from './engine/bounds.js'
import { type Durability, isDurability } from './engine/durability.js'
import { MemoryEngine } from './engines/memory/index.js'
import { sharedWorld } from './engines/memory/shared.js'
import { World } from './engines/memory/world.js'
import { onlyKnown } from './errors/unknown-option.js'
import { SpaceError } from './errors.js'
import { type Logger, silent } from './log.js'
import { directTerms } from './request/streams/direct/address.js'
import { DEFAULT_STREAM_BOUNDS, type StreamBounds } from './request/streams/index.js'
import { Space } from './space.js'

export interface OpenOptions extends Bounds, Access {
  /** The name of the space. Spaces of different names on one server are independent. Default `default`. */
  readonly name?: string | undefined
  /**
   * The durability of acknowledged writes (docs/durability.md): `memory`, `local`, `fsync`, or `replicated:n` (n replicas
   * have it). Default: that of the server, with a warning below `local`; `replicated:1` with Sentinels and on a Cluster.
   */
  readonly durability?: Durability | undefined
  /** How long to try to reach the server, in ms. Default 5 000. */
  readonly connectTimeoutMs?: number | undefined
  /**
   * On a Cluster: the number of partitions of the space (docs/partitions.md), 1 to 256, which it keeps from its first
   * process on, until it moves to another number. Default: that of the space; for a new one, one for each primary.
   */
  readonly partitions?: number | undefined
  /**
   * Where the space moves to (docs/operations.md#move-a-space): an address like `url`, of another server, or of the same
   * Cluster with another number of partitions. While it moves, every process has both. Default: it does not move.
   * @example 'redis+cluster://h1:6379,h2:6379?partitions=12'
   */
  readonly nextUrl?: string | undefined
  /** Maximum bytes in flight of one streamed body in each direction. Default 1 MiB. */
  readonly maxStreamBytes?: number | undefined
  /** Maximum bytes in flight of all streams that this process writes. Default 64 MiB. */
  readonly maxStreamingBytes?: number | undefined
  /**
   * Direct connections of streamed bodies, from workers to gateways, past Redis: `off`; `host` = to gateways on this host
   * by the same user, over unix sockets; `network` = also to gateways that accept them over TCP; `HOST:PORT` = a gateway in
   * this process accepts them at this address, under which its workers reach it (unencrypted; docs/streaming.md).
   * Without a connection bodies are published through Redis. Default `host`.
   */
  readonly directStreams?: string | undefined
  /** A pino instance or anything like it. Default: nothing is logged. */
  readonly logger?: Logger | undefined
}

const OPTIONS: ReadonlySet<string> = new Set([
  ...[
    'name',
    'durability',
    'connectTimeoutMs',
    'partitions',
    'nextUrl',
    'maxEntries',
    'maxBytes',
    'maxStreamBytes',
    'maxStreamingBytes',
    'directStreams',
    'logger',
    'tls',
    'credentials',
  ],
])

/** Returns whether a URL is that of a Redis server, by its form. */
export const isRedisUrl = (url: string): boolean => /^(rediss?(\+sentinel|\+cluster)?|unix):\/\//.test(url)

const isClusterUrl = (url: string): boolean => /^rediss?\+cluster:/.test(url)

/**
 * Opens a space.
 *
 * @param url `redis://[user:password@]host:port[/db]`, `rediss://…` (TLS), `unix:///path[?db=2]`,
 *   `redis+sentinel://[user:password@]host:26379,host:26379/NAME[/db]` (the primary of this name, wherever it is),
 *   `redis+cluster://[user:password@]host:6379,host:6379` (both also as `rediss+…`), `memory:` (a new
 *   space of this process), or `memory:LABEL` (a space of this process that is shared by label; it ends when the last
 *   user closes it). Parameters of a URL are files and names: `?passwordFile=…&ca=…&cert=…&key=…&servername=…`
 * @throws SpaceError URL_UNKNOWN, SPACE_UNREACHABLE (within connectTimeoutMs), REDIS_TOO_OLD, REDIS_EVICTS,
 *   REDIS_REFUSED, REDIS_UNSUITABLE, TLS_FAILED, DATA_NEWER, DURABILITY_UNAVAILABLE, PARTITIONS_DIFFER, SPACE_MOVES,
 *   INVALID_ARGUMENT
 * @example
 * await using space = await openSpace('redis://127.0.0.1:6379', { name: 'orders' })
 */
export async function openSpace(url: string, options: OpenOptions = {}): Promise<Space> {
  onlyKnown('openSpace', options, OPTIONS)
  const { name = 'default', connectTimeoutMs = 5_000, logger = silent, durability } = options
  if (typeof name !== 'string' || name === '' || name.length > 100 || !name.isWellFormed()) {
    throw new SpaceError('INVALID_ARGUMENT', 'name is a text of 1 to 100 characters.')
  }
  checkPartitions(url, options.partitions)
  checkNext(url, options.nextUrl)
  if (durability !== undefined && !isDurability(durability)) {
    throw new SpaceError('INVALID_ARGUMENT', 'durability is memory, local, fsync, or replicated:n with n from 1 to 99.')
  }
  const bounds = checkedBounds(options)
  const streamBounds = checkedStreamBounds(options)
  const direct = directTerms(options.directStreams ?? 'host')
  if (typeof url !== 'string') throw new SpaceError('URL_UNKNOWN', `It must be a string, not ${typeof url}.`)
  if (url.startsWith('memory:')) {
    if (durability && durability !== 'memory') {
      throw new SpaceError(
        'DURABILITY_UNAVAILABLE',
        `memory: keeps nothing after its process has ended; ${durability} needs Redis.`,
      )
    }
    const label = url.slice('memory:'.length)
    const world = label === '' ? new World() : sharedWorld(`${label} ${name}`)
    return new Space(new MemoryEngine(world, bounds), name, logger, streamBounds)
  }
  if (isRedisUrl(url)) {
    // Loaded when needed: tests and `takespace dev` need no Redis client.
    const { tls, credentials, partitions, nextUrl } = options
    const access = { tls, credentials }
    const terms = { name, durability, connectTimeoutMs, logger, bounds, access }
    const moving = nextUrl
      ? await (await import('./engines/redis/moving.js')).openMoving(url, nextUrl, terms, partitions)
      : null
    // A space that has the next partitions of its Cluster is opened as any other.
    const [at, asked] = nextUrl ? [nextUrl, undefined] : [url, partitions]
    const engine =
      moving ??
      (isClusterUrl(at)
        ? await (await import('./engines/redis/cluster.js')).openOnCluster(at, terms, asked)
        : await (await import('./engines/redis/index.js')).RedisEngine.open(at, terms))
    return new Space(engine, name, logger, streamBounds, direct)
  }
  const { adviceFor } = await import('./engines/redis/wire/address.js')
  throw new SpaceError('URL_UNKNOWN', adviceFor(url))
}

/**
 * Opens a space on Redis to look at what is in it. Joins no presence and writes nothing, so a user may who may only read
 * (`takespace acl observer`); calls that change the space reject with REDIS_REFUSED.
 *
 * @throws SpaceError SPACE_UNREACHABLE, REDIS_REFUSED, REDIS_UNSUITABLE, TLS_FAILED, URL_UNKNOWN
 */
export async function observeSpace(url: string, name: string, logger: Logger = silent): Promise<Space> {
  const { openObserver } = await import('./engines/redis/observer.js')
  return new Space(await openObserver(url, name), name, logger)
}

const MOST_PARTITIONS = 256

function checkPartitions(url: unknown, partitions: number | undefined): void {
  if (partitions === undefined) return
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > MOST_PARTITIONS) {
    throw new SpaceError('INVALID_ARGUMENT', `partitions is a number from 1 to ${MOST_PARTITIONS}.`)
  }
  if (typeof url === 'string' && !isClusterUrl(url)) {
    throw new SpaceError('INVALID_ARGUMENT', 'Only a space on a Cluster has partitions: redis+cluster://…')
  }
}

function checkNext(url: unknown, nextUrl: unknown): void {
  if (nextUrl === undefined) return
  if (typeof nextUrl !== 'string' || !isRedisUrl(nextUrl)) {
    throw new SpaceError('INVALID_ARGUMENT', 'nextUrl is the address of a Redis: redis://host:6379, …')
  }
  if (typeof url !== 'string' || !isRedisUrl(url)) {
    throw new SpaceError('INVALID_ARGUMENT', 'Only a space on Redis moves.')
  }
}

const LEAST_STREAM_BYTES = 16_384

function checkedStreamBounds({
  maxStreamBytes = DEFAULT_STREAM_BOUNDS.maxStreamBytes,
  maxStreamingBytes = DEFAULT_STREAM_BOUNDS.maxStreamingBytes,
}: OpenOptions): StreamBounds {
  for (const [name, value] of Object.entries({ maxStreamBytes, maxStreamingBytes })) {
    if (!Number.isSafeInteger(value) || value < LEAST_STREAM_BYTES) {
      throw new SpaceError('INVALID_ARGUMENT', `${name} must be an integer of at least ${LEAST_STREAM_BYTES}.`)
    }
  }
  return { maxStreamBytes, maxStreamingBytes }
}

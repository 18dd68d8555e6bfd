/**
 * Clients: connections to Redis servers. The only file that imports the Redis client. A client neither reconnects nor
 * re-sends: a lost one is replaced by a new one, and whoever used it decides what is repeated.
 */
import type { Socket } from 'node:net'
import { Cluster, Command, Redis, type RedisOptions } from 'ioredis'
import type { Credentials } from '../../../engine/access.js'
import { withDeadline } from '../../../runtime/deadline.js'
import { type Address, type HostAndPort, loginOf, type Place, tlsMaterial } from './address.js'

export type RedisClient = Redis

/** The time for a connection attempt, with all that it asks the server. */
export const ATTEMPT_MS = 2_000

/** A command that resp.ts encodes. Replies have buffers for strings. */
export class EncodedCommand extends Command {
  readonly #encode: (socket: Socket) => Buffer | string

  constructor(name: string, encode: (socket: Socket) => Buffer | string) {
    super(name, [], { replyEncoding: null })
    this.#encode = encode
  }

  override toWritable(socket: object): Buffer | string {
    return this.#encode(socket as Socket)
  }
}

/** What a client needs to connect: place, user, password, TLS. */
export type Terms = Pick<RedisOptions, 'host' | 'port' | 'path' | 'username' | 'password' | 'db' | 'tls'>

/**
 * Returns the terms for a connection to a place of an address, with the user, password and certificates of now.
 * @throws SpaceError INVALID_ARGUMENT
 */
export async function clientTerms(address: Address, place: Place): Promise<Terms> {
  const login = await withDeadline(loginOf(address), {
    timeoutMs: ATTEMPT_MS,
    late: () => new Error(`credentials() has not returned within ${ATTEMPT_MS} ms`),
  })
  const { database } = address
  return { ...(await bareTerms(address, place, login)), ...(database > 0 && { db: database }) }
}

/** The same with another user and password, and without a database. */
export async function bareTerms({ tls }: Address, place: Place, login: Partial<Credentials>): Promise<Terms> {
  const material = tls && (await tlsMaterial(tls, place))
  return { ...place, ...login, ...(material && { tls: material as object }) }
}

export type ClientSettings = Pick<RedisOptions, 'connectTimeout' | 'enableOfflineQueue' | 'commandTimeout'>

/** Makes a client, which connects when it is told to. */
export const newClient = (terms: Terms, settings: ClientSettings): RedisClient =>
  new Redis({
    ...terms,
    lazyConnect: true,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    keepAlive: 10_000,
    // A user needs no right to CLIENT.
    disableClientInfo: true,
    // After disconnect(): a frozen server must not hold up the next link, or the end of the process.
    disconnectTimeout: 200,
    ...settings,
  })

/** Makes a client of all nodes of a Cluster, which follows the slots by itself. */
export function newCluster(seeds: readonly HostAndPort[], terms: RedisOptions): Cluster {
  const { host, port, path, db, ...redisOptions } = terms
  // A user needs no right to CLUSTER INFO.
  return new Cluster([...seeds], { redisOptions, lazyConnect: true, enableReadyCheck: false })
}

/**
 * Has the bytes that a client receives read by a reader, which passes on what the client's own decoder is to read. What
 * the reader throws ends the connection. To be called before the client is connected.
 */
export function readReplies(
  client: RedisClient,
  readerFor: (pass: (bytes: Buffer) => void) => { read(bytes: Buffer): void },
): void {
  client.once('connect', () => {
    const { stream } = client as unknown as { stream: Socket }
    const [decode] = stream.listeners('data')
    if (!decode) return
    stream.removeListener('data', decode as () => void)
    const reader = readerFor((bytes) => decode.call(stream, bytes))
    stream.on('data', (bytes: Buffer) => {
      try {
        reader.read(bytes)
      } catch (error) {
        stream.destroy(error as Error)
      }
    })
  })
}

/**
 * Disconnects, unless the stream has closed: the client would wait two seconds for that to happen, and keep the
 * process alive.
 */
export function release(client: RedisClient): void {
  const { stream } = client as unknown as { stream?: { destroyed: boolean } }
  if (client.status !== 'end' && !stream?.destroyed) client.disconnect()
}

/** Uses a client that is connected for this alone. Rejects with the error that says most. */
export async function withClient<T>(
  terms: Terms,
  timeoutMs: number,
  use: (client: RedisClient) => Promise<T>,
): Promise<T> {
  const client = newClient(terms, { connectTimeout: timeoutMs })
  let heard: Error | undefined
  client.on('error', (error: Error) => {
    heard ??= error
  })
  const bound = setTimeout(() => {
    heard ??= new Error(`no answer within ${timeoutMs} ms`)
    release(client)
  }, timeoutMs)
  try {
    await client.connect()
    if (heard) throw heard
    return await use(client)
  } catch (error) {
    // The client's own error is often no more than that the connection is closed.
    throw heard ?? error
  } finally {
    clearTimeout(bound)
    release(client)
  }
}

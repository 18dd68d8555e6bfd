/**
 * The connections of a process to its server: one for commands and pushes, so that liveness is checked on the very
 * connection that works, and one for large bodies. The only file that imports the Redis client. The client never
 * reconnects and never re-sends: each link is a new connection, and batches that were unanswered on the last link are
 * settled by their numbers, so a repetition has no effect.
 */
import type { Socket } from 'node:net'
import { Command, Redis, type RedisOptions } from 'ioredis'
import { monotonicMs } from '../../../clock.js'
import type { Access } from '../../../engine/access.js'
import { SpaceError } from '../../../errors.js'
import type { Logger } from '../../../log.js'
import { withDeadline } from '../../../runtime/deadline.js'
import { type Address, addressOf, loginOf, tlsMaterial } from './address.js'
import type { Commands } from './commands.js'
import { BATCH, BEAT, checkRights, ensureLibrary, isLibraryMissing, SAVE } from './library.js'
import { isLoginRefused, serverRefusal, unreachable } from './refusal.js'
import { type Argument, encodeCommand, encodeFcall, writePublish } from './resp.js'
import { evictionIn, examine, fieldsOf, type Server } from './server.js'

/** Link: one life of the connection, from a handshake to the cut. */
export interface Link {
  readonly server: Server
  /** Runs a batch. Rejects if the link is cut before the reply. */
  batch(args: readonly Argument[]): Promise<Buffer[]>
  beat(args: string[]): Promise<BeatReply>
  /** Saves session entries (session-save.lua). */
  save(keys: readonly string[], args: string[]): Promise<Buffer>
  putBody(key: string, body: Buffer, ttlMs: number): Promise<void>
  getBody(key: string): Promise<Buffer | null>
  dropBody(key: string): Promise<unknown>
  /** Returns the value of each of these keys. */
  getAll(keys: readonly string[]): Promise<(Buffer | null)[]>
  /** Returns the number of subscribers that received the message. */
  post(channel: string, message: readonly Buffer[]): Promise<number>
  /** Subscribes to messages from other processes. */
  hear(): Promise<void>
  /** Returns the policy by which a full server evicts keys now; undefined if it evicts none. */
  evicts(): Promise<string | undefined>
  /** Cuts the link: everything unanswered on it rejects, and a new link is opened. */
  cut(reason: string): void
}

/** The reply to a beat; main.lua says what it has. */
export interface BeatReply {
  /** ms until the next beat is due; -1: there is no presence. */
  readonly next: number
  readonly now: number
  /** The number of the last push before the beat. */
  readonly pushed: number
  /** The holdings and waits of this process as the space knows them; '' if they are too many to compare. */
  readonly known: string
}

export interface LinkListener {
  /** The link is ready; nothing has been sent on it yet. */
  onUp(link: Link): void
  onDown(): void
  onPush(message: Buffer): void
  /** A message from another process has arrived. */
  onMessage(message: Buffer): void
  /** The subscription to messages has ended, though the link is up. */
  onDeaf(): void
}

const FIRST_RETRY_MS = 20
const LONGEST_RETRY_MS = 1_000
const HANDSHAKE_MS = 2_000

/** A command that resp.ts encodes. Replies have buffers for strings. */
class Encoded extends Command {
  readonly #encode: (socket: Socket) => Buffer | string

  constructor(name: string, encode: (socket: Socket) => Buffer | string) {
    super(name, [], { replyEncoding: null })
    this.#encode = encode
  }

  override toWritable(socket: object): Buffer | string {
    return this.#encode(socket as Socket)
  }
}

export class Connection {
  readonly #address: Address
  readonly #counters: string
  readonly #channels: { readonly pushes: string; readonly messages: string }
  readonly #listener: LinkListener
  readonly #logger: Logger
  #commands: Redis | undefined
  #bulk: Redis | undefined
  /** The options of the last attempt: user, password and certificates are read again for each. */
  #options: RedisOptions = {}
  #retry: NodeJS.Timeout | undefined
  #retryMs = FIRST_RETRY_MS
  #closed = false

  constructor(
    url: string,
    access: Access,
    counters: string,
    channels: { readonly pushes: string; readonly messages: string },
    listener: LinkListener,
    logger: Logger,
  ) {
    this.#address = addressOf(url, access)
    this.#counters = counters
    this.#channels = channels
    this.#listener = listener
    this.#logger = logger
  }

  /**
   * Looks for the server until it is reachable or the time is over. From then on the link is kept up until close().
   */
  async open(timeoutMs: number): Promise<Server> {
    const until = monotonicMs() + timeoutMs
    for (;;) {
      try {
        return await this.#connect(Math.max(until - monotonicMs(), 1))
      } catch (error) {
        const refusal = serverRefusal(error as Error, this.#address)
        if (refusal && !(isLoginRefused(error as Error) && (await this.#hasNewLogin()))) throw refusal
        if (monotonicMs() + this.#retryMs >= until) throw refusal ?? unreachable(error as Error, this.#address)
        await new Promise<void>((resolve) => {
          this.#retry = setTimeout(resolve, this.#retryMs)
        })
        this.#retryMs = Math.min(this.#retryMs * 2, LONGEST_RETRY_MS)
      }
    }
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#retry)
    this.#drop()
  }

  #drop(): void {
    for (const redis of [this.#commands, this.#bulk]) if (redis) release(redis)
    this.#commands = undefined
    this.#bulk = undefined
  }

  async #connect(timeoutMs: number): Promise<Server> {
    await this.#readOptions()
    const redis = new Redis({ ...this.#options, connectTimeout: Math.min(timeoutMs, HANDSHAKE_MS) })
    this.#commands = redis
    let up = false
    let heard: Error | undefined
    redis.on('error', (error: Error) => {
      // Every error also ends the link, where it is handled; but only this event says why a handshake failed.
      heard ??= error
    })
    redis.on('messageBuffer', (_channel: Buffer, message: Buffer) => {
      if (this.#commands === redis) this.#listener.onPush(message)
    })
    const bound = setTimeout(() => release(redis), Math.min(timeoutMs, HANDSHAKE_MS))
    try {
      await redis.connect()
      // The client goes on after a SELECT that was refused: in database 0.
      if (heard) throw heard
      const server = await examine(redis, this.#counters)
      await this.#ensureLibrary(redis)
      await checkRights(redis, this.#counters)
      await redis.subscribe(this.#channels.pushes)
      if (this.#closed) throw new SpaceError('SPACE_CLOSED')
      redis.on('end', () => {
        if (up && this.#commands === redis) this.#lost()
      })
      up = true
      this.#retryMs = FIRST_RETRY_MS
      this.#listener.onUp(this.#linkOver(redis, server))
      return server
    } catch (error) {
      release(redis)
      // The client's own error is often no more than that the connection is closed.
      throw error instanceof SpaceError ? error : (heard ?? error)
    } finally {
      clearTimeout(bound)
    }
  }

  async #readOptions(): Promise<void> {
    this.#options = await optionsFor(this.#address)
  }

  /** Returns whether the user or password has changed since the last attempt. */
  async #hasNewLogin(): Promise<boolean> {
    const { username, password } = this.#options
    await this.#readOptions()
    return this.#options.username !== username || this.#options.password !== password
  }

  #ensureLibrary(redis: Redis): Promise<void> {
    return ensureLibrary(redis, () =>
      this.#logger.warn({}, 'another function library stood under the name of ours in Redis and was replaced'),
    )
  }

  #lost(): void {
    this.#drop()
    this.#listener.onDown()
    this.#reconnect()
  }

  #reconnect(): void {
    if (this.#closed) return
    this.#retry = setTimeout(() => {
      this.#connect(HANDSHAKE_MS).catch((error: Error) => {
        const { message: reason } = serverRefusal(error, this.#address) ?? error
        this.#logger.warn({ reason }, 'the space is not reachable')
        this.#retryMs = Math.min(this.#retryMs * 2, LONGEST_RETRY_MS)
        this.#reconnect()
      })
    }, this.#retryMs)
  }

  #linkOver(redis: Redis, server: Server): Link {
    const counters = [this.#counters]
    const fcall = async (
      name: string,
      args: readonly Argument[],
      keys: readonly string[] = counters,
    ): Promise<unknown> => {
      const bytes = encodeFcall(name, keys, args)
      const call = () => redis.sendCommand(new Encoded('fcall', () => bytes))
      try {
        return await call()
      } catch (error) {
        if (!isLibraryMissing(error as Error)) throw error
        await this.#ensureLibrary(redis)
        return call()
      }
    }
    return {
      server,
      batch: (args) => fcall(BATCH, args) as Promise<Buffer[]>,
      beat: async (args) => {
        const [next, ...rest] = (await fcall(BEAT, args)) as [number, Buffer, Buffer, Buffer]
        const [now, pushed, known] = rest.map((each) => each.toString('latin1')) as [string, string, string]
        return { next, now: Number(now), pushed: Number(pushed), known }
      },
      save: (keys, args) => fcall(SAVE, args, keys) as Promise<Buffer>,
      putBody: async (key, body, ttlMs) => {
        const bulk = this.#bulkClient()
        await bulk.set(key, body, 'PX', Math.ceil(ttlMs))
      },
      getBody: (key) => this.#bulkClient().getBuffer(key),
      dropBody: (key) => this.#bulkClient().unlink(key),
      getAll: (keys) => {
        const text = encodeCommand('MGET', ...keys)
        return redis.sendCommand(new Encoded('mget', () => text)) as Promise<(Buffer | null)[]>
      },
      post: (channel, message) =>
        this.#bulkClient().sendCommand(
          new Encoded('publish', (socket) => writePublish(socket, channel, message)),
        ) as Promise<number>,
      hear: async () => {
        const bulk = this.#bulkClient()
        await bulk.subscribe(this.#channels.messages)
        bulk.once('end', () => {
          if (this.#bulk === bulk) this.#listener.onDeaf()
        })
      },
      evicts: async () => evictionIn(fieldsOf(await redis.info('memory'))),
      cut: (reason) => {
        if (this.#commands !== redis) return
        this.#logger.warn({ reason }, 'the link to the space is given up')
        redis.disconnect()
      },
    }
  }

  /** Opens the connection for bodies when the first large body or stream needs it. */
  #bulkClient(): Redis {
    if (!this.#bulk || this.#bulk.status === 'end') {
      const bulk = new Redis({
        ...this.#options,
        enableOfflineQueue: true,
        connectTimeout: HANDSHAKE_MS,
        commandTimeout: 5_000,
      })
      this.#bulk = bulk
      bulk.on('error', (error: Error) => {
        // The command that met the error rejects with it. A SELECT that was refused must not be followed by commands.
        if (error.name === 'ReplyError') release(bulk)
        if (isLoginRefused(error)) this.#readOptions().catch(() => {})
      })
      bulk.on('messageBuffer', (_channel: Buffer, message: Buffer) => {
        if (this.#bulk === bulk) this.#listener.onMessage(message)
      })
      bulk.connect().catch(() => {})
    }
    return this.#bulk
  }
}

/** The commands of a connection for looks at a server. */
export interface LookingClient extends Commands {
  callBuffer(command: string, ...args: (string | Buffer)[]): Promise<unknown>
  getBuffer(key: string): Promise<Buffer | null>
}

export interface Look {
  readonly client: LookingClient
  close(): void
  /** Returns what a failed command, or the end of the connection, means. */
  errorOf(error: Error): SpaceError
}

/** Opens a connection for looks at the server: loads no library, subscribes to nothing. */
export async function openLook(url: string, timeoutMs: number): Promise<Look> {
  const address = addressOf(url)
  const redis = new Redis({ ...(await optionsFor(address)), connectTimeout: timeoutMs })
  let heard: Error | undefined
  redis.on('error', (error: Error) => {
    heard ??= error
  })
  const errorOf = (error: Error): SpaceError => {
    const cause = error instanceof SpaceError ? error : (heard ?? error)
    return serverRefusal(cause, address) ?? unreachable(cause, address)
  }
  const bound = setTimeout(() => release(redis), timeoutMs)
  try {
    await redis.connect()
    if (heard) throw heard
    return { client: redis, close: () => release(redis), errorOf }
  } catch (error) {
    release(redis)
    throw errorOf(error as Error)
  } finally {
    clearTimeout(bound)
  }
}

/** Looks at a server over a connection that ends with the look, or when the time is over. */
export async function lookAt<T>(
  url: string,
  timeoutMs: number,
  look: (client: LookingClient) => Promise<T>,
): Promise<T> {
  const { client, close, errorOf } = await openLook(url, timeoutMs)
  const bound = setTimeout(close, timeoutMs)
  try {
    return await look(client)
  } catch (error) {
    throw errorOf(error as Error)
  } finally {
    clearTimeout(bound)
    close()
  }
}

/**
 * Disconnects, unless the stream has closed: the client would wait two seconds for that to happen, and keep the
 * process alive.
 */
function release(redis: Redis): void {
  const { stream } = redis as unknown as { stream?: { destroyed: boolean } }
  if (redis.status !== 'end' && !stream?.destroyed) redis.disconnect()
}

type ClientAddress = Pick<RedisOptions, 'host' | 'port' | 'path' | 'username' | 'password' | 'db' | 'tls'>

/**
 * Returns the parts of an address for another client of the same server, with the user and password of now.
 * @throws SpaceError URL_UNKNOWN, INVALID_ARGUMENT
 */
export const clientAddress = async (url: string, access?: Access): Promise<ClientAddress> =>
  clientAddressOf(addressOf(url, access))

async function clientAddressOf(address: Address): Promise<ClientAddress> {
  const { at, database, tls } = address
  const login = await withDeadline(loginOf(address), {
    timeoutMs: HANDSHAKE_MS,
    late: () => new Error(`credentials() has not returned within ${HANDSHAKE_MS} ms`),
  })
  const material = tls && (await tlsMaterial(tls))
  return { ...at, ...login, ...(database > 0 && { db: database }), ...(material && { tls: material as object }) }
}

const optionsFor = async (address: Address): Promise<RedisOptions> => ({
  ...(await clientAddressOf(address)),
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
})

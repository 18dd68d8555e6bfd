/**
 * The connections of a process to its server: one for commands and pushes, so that liveness is checked on the very
 * connection that works, and one for large bodies. The only file that imports the Redis client. The client never
 * reconnects and never re-sends: each link is a new connection, and batches that were unanswered on the last link are
 * settled by their numbers, so a repetition has no effect.
 */
import { Redis, type RedisOptions } from 'ioredis'
import { monotonicMs } from '../../../clock.js'
import { SpaceError } from '../../../errors.js'
import type { Logger } from '../../../log.js'
import { BATCH, BEAT, ensureLibrary, isLibraryMissing, SAVE } from './library.js'
import { evictionIn, examine, fieldsOf, type Server } from './server.js'

/** Link: one life of the connection, from a handshake to the cut. */
export interface Link {
  readonly server: Server
  /** Runs a batch. Rejects if the link is cut before the reply. */
  batch(args: (string | Buffer)[]): Promise<Buffer[]>
  beat(args: string[]): Promise<BeatReply>
  /** Saves session entries (session-save.lua). */
  save(keys: readonly string[], args: string[]): Promise<Buffer>
  putBody(key: string, body: Buffer, ttlMs: number): Promise<void>
  getBody(key: string): Promise<Buffer | null>
  dropBody(key: string): Promise<unknown>
  /** Returns the value of each of these keys. */
  getAll(keys: readonly string[]): Promise<(Buffer | null)[]>
  /** Returns the number of subscribers that received the message. */
  post(channel: string, message: Buffer): Promise<number>
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
  /** What the space knows that this process holds and waits for; '' if that is too much to compare. */
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

export class Connection {
  readonly #options: RedisOptions
  readonly #counters: string
  readonly #channels: { readonly pushes: string; readonly messages: string }
  readonly #listener: LinkListener
  readonly #logger: Logger
  #commands: Redis | undefined
  #bulk: Redis | undefined
  #retry: NodeJS.Timeout | undefined
  #retryMs = FIRST_RETRY_MS
  #closed = false

  constructor(
    url: string,
    counters: string,
    channels: { readonly pushes: string; readonly messages: string },
    listener: LinkListener,
    logger: Logger,
  ) {
    this.#options = optionsOf(url)
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
        if (error instanceof SpaceError) throw error
        const refusal = refusalOf(error as Error)
        if (refusal) throw refusal
        if (monotonicMs() + this.#retryMs >= until) throw unreachable(error as Error, this.#options)
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
      const server = await examine(redis)
      await ensureLibrary(redis)
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
      throw (heard && refusalOf(heard)) ?? error
    } finally {
      clearTimeout(bound)
    }
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
        this.#logger.warn({ reason: error.message }, 'the space is not reachable')
        this.#retryMs = Math.min(this.#retryMs * 2, LONGEST_RETRY_MS)
        this.#reconnect()
      })
    }, this.#retryMs)
  }

  #linkOver(redis: Redis, server: Server): Link {
    const counters = [this.#counters]
    const fcall = async (
      name: string,
      args: (string | Buffer)[],
      keys: readonly string[] = counters,
    ): Promise<unknown> => {
      try {
        return await redis.callBuffer('FCALL', name, String(keys.length), ...keys, ...args)
      } catch (error) {
        if (!isLibraryMissing(error as Error)) throw error
        await ensureLibrary(redis)
        return redis.callBuffer('FCALL', name, String(keys.length), ...keys, ...args)
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
      getAll: (keys) => redis.mgetBuffer([...keys]),
      post: (channel, message) => this.#bulkClient().publish(channel, message),
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
      bulk.on('error', () => {
        // The command that met the error rejects with it.
      })
      bulk.on('messageBuffer', (_channel: Buffer, message: Buffer) => {
        if (this.#bulk === bulk) this.#listener.onMessage(message)
      })
      bulk.connect().catch(() => {})
    }
    return this.#bulk
  }
}

/**
 * Opens a connection for one look at the server: loads no library, subscribes to nothing, ends with the look or the
 * time.
 */
export async function lookAt<T>(url: string, timeoutMs: number, look: (redis: Redis) => Promise<T>): Promise<T> {
  const options = optionsOf(url)
  const redis = new Redis({ ...options, connectTimeout: timeoutMs })
  let heard: Error | undefined
  redis.on('error', (error: Error) => {
    heard ??= error
  })
  const bound = setTimeout(() => release(redis), timeoutMs)
  try {
    await redis.connect()
    return await look(redis)
  } catch (error) {
    const cause = heard ?? (error as Error)
    throw refusalOf(cause) ?? unreachable(cause, options)
  } finally {
    clearTimeout(bound)
    release(redis)
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

/** Returns the parts of an address for another client of the same server. */
export function addressIn(url: string): Pick<RedisOptions, 'host' | 'port' | 'username' | 'password' | 'db' | 'tls'> {
  const { host, port, username, password, db, tls } = optionsOf(url)
  return Object.fromEntries(
    Object.entries({ host, port, username, password, db, tls }).filter(([, value]) => value !== undefined),
  )
}

function optionsOf(url: string): RedisOptions {
  let parsed: URL
  try {
    parsed = new URL(url)
  } catch {
    // Without the cause, which holds the whole address, password included.
    throw new SpaceError('URL_UNKNOWN')
  }
  const options: RedisOptions = {
    host: parsed.hostname.replace(/^\[|\]$/g, '') || '127.0.0.1',
    port: Number(parsed.port) || 6379,
    lazyConnect: true,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    keepAlive: 10_000,
    // After disconnect(): a frozen server must not hold up the next link, or the end of the process.
    disconnectTimeout: 200,
  }
  if (parsed.username) options.username = decoded(parsed.username)
  if (parsed.password) options.password = decoded(parsed.password)
  if (parsed.pathname.length > 1) options.db = Number(parsed.pathname.slice(1))
  if (parsed.protocol === 'rediss:') options.tls = { servername: parsed.hostname }
  return options
}

/** Returns the decoded part of a URL. A part that cannot be decoded is not shown: it may be most of a password. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new SpaceError('URL_UNKNOWN', 'Its user or password has a % that encodes nothing: write a % as %25.')
  }
}

/** Returns the error if the server refuses for good; null if a new attempt may succeed. */
function refusalOf(error: Error): SpaceError | null {
  if (/^(WRONGPASS|NOAUTH|NOPERM|ERR AUTH|ERR DB index)/.test(error.message)) {
    return new SpaceError('REDIS_REFUSED', error.message.split('\n')[0])
  }
  return null
}

function unreachable(cause: Error, { host, port }: RedisOptions): SpaceError {
  return new SpaceError(
    'SPACE_UNREACHABLE',
    `No answer from Redis at ${host}:${port}. Without a Redis, try: takespace dev`,
    {
      cause,
    },
  )
}

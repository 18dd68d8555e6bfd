/** Link: one life of the connection to the primary, from a handshake to the cut. */
import type { Logger } from '../../../log.js'
import { ATTEMPT_MS, EncodedCommand, newClient, type RedisClient, readReplies, release, type Terms } from './client.js'
import { BATCH, BEAT, isLibraryMissing, SAVE } from './library.js'
import { MessageDemux } from './message-demux.js'
import { isLoginRefused } from './refusal.js'
import { type Argument, encodeCommand, encodeFcall, writePublish } from './resp.js'
import { fieldsOf, memoryIn, type SeenMemory, type Server } from './server.js'

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

/** How often a call loads the functions: they may be flushed again before the call arrives. */
const MOST_LOADS = 10

export interface LinkListener {
  /** A server was found, and no link to it is open yet. Throws if it gives less than was promised. */
  onFound(server: Server): void
  /** The link is ready; nothing has been sent on it yet. */
  onUp(link: Link): void
  onDown(): void
  /** An attempt to open another link has failed. */
  onAway(error: Error): void
  /** Another server is to become the primary, or that has been given up. Told on any link, or between two. */
  onFailover(isUnderWay: boolean): void
  onPush(message: Buffer): void
  /** A piece of a message from another process has arrived; `isFirst` begins a message. */
  onMessagePart(part: Buffer, isFirst: boolean): void
  /** The subscription to messages has ended, though the link is up. */
  onDeaf(): void
}

/** Names of a space that a link uses: keys, and channels of this process. */
export interface LinkNames {
  readonly counters: string
  /** Keys that are declared beside all others on a Cluster. */
  readonly never: readonly string[]
  /** A key that is written before each question to the replicas. */
  readonly level: string
  readonly pushes: string
  readonly messages: string
}

export interface LinkTerms {
  readonly server: Server
  readonly names: LinkNames
  readonly listener: LinkListener
  readonly logger: Logger
  /** The terms for further connections to the same server. */
  readonly terms: () => Terms
  /** The user or the password was refused: they are to be read again. */
  readonly onRefused: () => void
  readonly ensureLibrary: (client: RedisClient) => Promise<void>
  /** The link has served a call. */
  readonly onServed: () => void
}

/** The connection for bodies rejects a command without a reply after this time. */
const BULK_MS = 5_000
/** How long the key that is written before a question to the replicas is kept. */
const LEVEL_KEPT_MS = '86400000'

export class Link {
  readonly server: Server
  readonly #client: RedisClient
  readonly #with: LinkTerms
  readonly #counters: readonly string[]
  readonly #never: readonly string[]
  /** For large bodies and messages. */
  #bulk: RedisClient | undefined
  /** For questions to the replicas: they block their connection. */
  #asking: RedisClient | undefined
  #hasServed = false
  #isCut = false

  constructor(client: RedisClient, terms: LinkTerms) {
    this.server = terms.server
    this.#client = client
    this.#with = terms
    const { counters, never } = terms.names
    this.#never = this.server.isCluster ? never : []
    this.#counters = [counters, ...this.#never]
  }

  /** Runs a batch. Rejects if the link is cut before the reply. */
  batch(args: readonly Argument[]): Promise<Buffer[]> {
    return this.#fcall(BATCH, args) as Promise<Buffer[]>
  }

  async beat(args: string[]): Promise<BeatReply> {
    const [next, ...rest] = (await this.#fcall(BEAT, args)) as [number, Buffer, Buffer, Buffer]
    const [now, pushed, known] = rest.map((each) => each.toString('latin1')) as [string, string, string]
    return { next, now: Number(now), pushed: Number(pushed), known }
  }

  /** Saves session entries (session-save.lua). */
  save(keys: readonly string[], args: string[]): Promise<Buffer> {
    return this.#fcall(SAVE, args, [...keys, ...this.#never]) as Promise<Buffer>
  }

  async putBody(key: string, body: Buffer, ttlMs: number): Promise<void> {
    await this.#bulkClient().set(key, body, 'PX', Math.ceil(ttlMs))
  }

  getBody(key: string): Promise<Buffer | null> {
    return this.#bulkClient().getBuffer(key)
  }

  dropBody(key: string): Promise<unknown> {
    return this.#bulkClient().unlink(key)
  }

  /** Returns the value of each of these keys. */
  getAll(keys: readonly string[]): Promise<(Buffer | null)[]> {
    const text = encodeCommand('MGET', ...keys)
    return this.#client.sendCommand(new EncodedCommand('mget', () => text)) as Promise<(Buffer | null)[]>
  }

  /** Returns the number of subscribers that received the message. */
  post(channel: string, message: readonly Buffer[]): Promise<number> {
    return this.#bulkClient().sendCommand(
      new EncodedCommand('spublish', (socket) => writePublish(socket, channel, message)),
    ) as Promise<number>
  }

  /** Subscribes to messages from other processes. */
  async hear(): Promise<void> {
    const bulk = this.#bulkClient()
    await bulk.ssubscribe(this.#with.names.messages)
    bulk.once('end', () => {
      if (this.#bulk === bulk) this.#with.listener.onDeaf()
    })
  }

  /** Returns the memory of the server now, and whether it may evict keys. */
  async memory(): Promise<SeenMemory> {
    return memoryIn(fieldsOf(await this.#client.info('memory')))
  }

  /**
   * Waits until `count` replicas have all that the server had written before, at most `timeoutMs`. Returns how many
   * have it. A write comes first: the server answers for what the connection has written, and an idle one has nothing.
   */
  async waitForReplicas(count: number, timeoutMs: number): Promise<number> {
    const asking = this.#askingClient()
    const written = asking.call('SET', this.#with.names.level, '', 'PX', LEVEL_KEPT_MS)
    const [, reached] = await Promise.all([written, asking.call('WAIT', String(count), String(timeoutMs))])
    return Number(reached)
  }

  /** Cuts the link: everything unanswered on it rejects, and a new link is opened. */
  cut(reason: string): void {
    if (this.#isCut || this.#client.status === 'end') return
    this.#isCut = true
    this.#with.logger.warn({ reason }, 'the link to the space is given up')
    this.#client.disconnect()
  }

  /** Ends all connections of the link. */
  release(): void {
    const clients = [this.#client, this.#bulk, this.#asking]
    this.#bulk = undefined
    this.#asking = undefined
    for (const client of clients) if (client) release(client)
  }

  async #fcall(name: string, args: readonly Argument[], keys = this.#counters): Promise<unknown> {
    const bytes = encodeFcall(name, keys, args)
    const call = () => this.#client.sendCommand(new EncodedCommand('fcall', () => bytes))
    for (let left = MOST_LOADS; ; left--) {
      try {
        const reply = await call()
        if (!this.#hasServed) this.#served()
        return reply
      } catch (error) {
        if (!isLibraryMissing(error as Error) || left === 0) throw error
        await this.#with.ensureLibrary(this.#client)
      }
    }
  }

  #served(): void {
    this.#hasServed = true
    this.#with.onServed()
  }

  /** Opens the connection for bodies when the first large body or stream needs it. */
  #bulkClient(): RedisClient {
    if (!this.#bulk || this.#bulk.status === 'end') {
      const bulk = this.#further({ commandTimeout: BULK_MS })
      this.#bulk = bulk
      const onPart = (part: Buffer, isFirst: boolean): void => {
        if (this.#bulk === bulk) this.#with.listener.onMessagePart(part, isFirst)
      }
      const channel = this.#with.names.messages
      readReplies(bulk, (pass) => new MessageDemux({ channel, onPart, pass }))
      // Those that the demux does not find, over RESP2 for example.
      bulk.on('smessageBuffer', (_channel: Buffer, message: Buffer) => onPart(message, true))
    }
    return this.#bulk
  }

  #askingClient(): RedisClient {
    if (!this.#asking || this.#asking.status === 'end') this.#asking = this.#further({})
    return this.#asking
  }

  #further(settings: { commandTimeout?: number }): RedisClient {
    const client = newClient(this.#with.terms(), { enableOfflineQueue: true, connectTimeout: ATTEMPT_MS, ...settings })
    client.on('error', (error: Error) => {
      // The command that met the error rejects with it. A SELECT that was refused must not be followed by commands.
      if (error.name === 'ReplyError') release(client)
      if (isLoginRefused(error)) this.#with.onRefused()
    })
    client.connect().catch(() => {})
    return client
  }
}

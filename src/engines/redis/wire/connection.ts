/**
 * The connection of a process to the primary of its space: one owner, which opens a link, and a new one whenever one is
 * lost. A link has one connection for commands and pushes, so that liveness is checked on the very connection that
 * works, and further ones when they are needed. Batches that were unanswered on the last link are settled by their
 * numbers, so a repetition has no effect.
 */
import { monotonicMs } from '../../../clock.js'
import type { Access } from '../../../engine/access.js'
import { SpaceError } from '../../../errors.js'
import type { Logger } from '../../../log.js'
import { type Address, addressOf, type Place } from './address.js'
import { ATTEMPT_MS, clientTerms, newClient, type RedisClient, release, type Terms } from './client.js'
import { Failover } from './failover.js'
import { checkRights, ensureLibrary } from './library.js'
import { Link, type LinkListener, type LinkNames } from './link.js'
import { Primary } from './primary.js'
import { reactionTo } from './reactions.js'
import { isLoginRefused, PrimaryUnknown, serverRefusal, unreachable } from './refusal.js'
import { examine, type Server } from './server.js'

const FIRST_RETRY_MS = 20
const LONGEST_RETRY_MS = 1_000
const REPLACED = 'the Sentinels name another primary'

export class Connection {
  readonly #address: Address
  readonly #names: LinkNames
  readonly #listener: LinkListener
  readonly #logger: Logger
  readonly #primary: Primary
  readonly #failover: Failover
  #link: Link | undefined
  /** The client of the last attempt, until it has a link. */
  #attempt: RedisClient | undefined
  #place: Place
  /** The next primary, as a Sentinel told unasked: others may not have heard of it when they are asked. */
  #named: Place | undefined
  /** The terms of the last attempt: user, password and certificates are read again for each. */
  #terms: Terms = {}
  #retry: NodeJS.Timeout | undefined
  #retryMs = FIRST_RETRY_MS
  #closed = false

  constructor(url: string, access: Access, names: LinkNames, listener: LinkListener, logger: Logger) {
    this.#address = addressOf(url, access)
    this.#names = names
    this.#listener = listener
    this.#logger = logger
    this.#primary = new Primary(this.#address, names.counters)
    this.#place = this.#address.at
    this.#failover = new Failover(this.#address, {
      onFailover: (isUnderWay) => listener.onFailover(isUnderWay),
      onReplaced: (by) => {
        this.#named = by
        this.#link?.cut(REPLACED)
      },
    })
  }

  /** Whether another server may become the primary. */
  get failsOver(): boolean {
    return this.#address.seeds !== undefined
  }

  /**
   * Looks for the server until it is reachable or the time is over. From then on the link is kept up until close().
   */
  async open(timeoutMs: number): Promise<Server> {
    const until = monotonicMs() + timeoutMs
    // The last attempt may have no time for an answer.
    let told: Error | undefined
    for (;;) {
      try {
        return await this.#connect(Math.max(until - monotonicMs(), 1))
      } catch (error) {
        if (error instanceof PrimaryUnknown || reactionTo(error as Error)) told = error as Error
        const refusal = serverRefusal(error as Error, this.#address)
        if (refusal && !(isLoginRefused(error as Error) && (await this.#hasNewLogin()))) throw refusal
        if (monotonicMs() + this.#retryMs >= until)
          throw refusal ?? unreachable(told ?? (error as Error), this.#address)
        await new Promise<void>((resolve) => {
          this.#retry = setTimeout(resolve, this.#nextPause())
        })
      }
    }
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#retry)
    this.#failover.close()
    if (this.#attempt) release(this.#attempt)
    this.#drop()
  }

  #drop(): void {
    const link = this.#link
    this.#link = undefined
    link?.release()
  }

  async #connect(timeoutMs: number): Promise<Server> {
    const found = this.#named ?? (await this.#primary.find(timeoutMs))
    // A Sentinel may have told of another one meanwhile.
    this.#place = this.#named ?? found
    this.#named = undefined
    this.#failover.use(this.#place)
    await this.#readTerms()
    const client = newClient(this.#terms, { connectTimeout: Math.min(timeoutMs, ATTEMPT_MS) })
    this.#attempt = client
    let link: Link | undefined
    let heard: Error | undefined
    client.on('error', (error: Error) => {
      // Every error also ends the link, where it is handled; but only this event says why a handshake failed.
      heard ??= error
    })
    client.on('smessageBuffer', (_channel: Buffer, message: Buffer) => {
      if (link === this.#link) this.#listener.onPush(message)
    })
    // A Cluster has moved the slot, and with it the channel.
    client.on('moved', () => link?.cut('the slot of the space has moved'))
    const bound = setTimeout(() => release(client), Math.min(timeoutMs, ATTEMPT_MS))
    try {
      await client.connect()
      // The client goes on after a SELECT that was refused: in database 0.
      if (heard) throw heard
      const server = await examine(client, this.#names.counters, this.#address.seeds !== undefined)
      this.#listener.onFound(server)
      await this.#ensureLibrary(client)
      await checkRights(client, this.#names.counters)
      await client.ssubscribe(this.#names.pushes)
      if (this.#closed) throw new SpaceError('SPACE_CLOSED')
      link = this.#linkOver(client, server)
      this.#link = link
      client.on('end', () => {
        if (this.#link === link) this.#lost()
      })
      this.#listener.onUp(link)
      this.#failover.start()
      // Told while this link was made.
      if (this.#named) link.cut(REPLACED)
      return server
    } catch (error) {
      release(client)
      // The client's own error is often no more than that the connection is closed.
      throw error instanceof SpaceError ? error : (heard ?? error)
    } finally {
      this.#attempt = undefined
      clearTimeout(bound)
    }
  }

  #linkOver(client: RedisClient, server: Server): Link {
    return new Link(client, {
      server,
      names: this.#names,
      listener: this.#listener,
      logger: this.#logger,
      terms: () => this.#terms,
      onRefused: () => void this.#readTerms().catch(() => {}),
      ensureLibrary: (client) => this.#ensureLibrary(client),
      // Not before: a link that is lost at its first call would otherwise be opened again at once, for ever.
      onServed: () => {
        this.#retryMs = FIRST_RETRY_MS
      },
    })
  }

  async #readTerms(): Promise<void> {
    this.#terms = await clientTerms(this.#address, this.#place)
  }

  /** Returns whether the user or password has changed since the last attempt. */
  async #hasNewLogin(): Promise<boolean> {
    const { username, password } = this.#terms
    await this.#readTerms()
    return this.#terms.username !== username || this.#terms.password !== password
  }

  #ensureLibrary(client: RedisClient): Promise<void> {
    return ensureLibrary(client, () =>
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
      this.#connect(ATTEMPT_MS).catch((error: Error) => {
        const { message: reason } = serverRefusal(error, this.#address) ?? error
        this.#logger.warn({ reason }, 'the space is not reachable')
        this.#listener.onAway(error)
        this.#reconnect()
      })
    }, this.#nextPause())
  }

  /** Twice as long each time, and up to a half longer by chance: processes that lost a server come back one by one. */
  #nextPause(): number {
    const pause = this.#retryMs * (1 + Math.random() / 2)
    this.#retryMs = Math.min(this.#retryMs * 2, LONGEST_RETRY_MS)
    return pause
  }
}

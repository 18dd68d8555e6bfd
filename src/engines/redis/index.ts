/** The Redis engine: combines the operations of the files beside it into an Engine over one presence. */
import { randomBytes } from 'node:crypto'
import { v7 as uuidv7 } from 'uuid'
import type { Access } from '../../engine/access.js'
import { replicasOf } from '../../engine/durability.js'
import type {
  Backlog,
  CompletionEffects,
  Delivery,
  EncodedEntry,
  EncodedTemplate,
  Engine,
  Find,
  Grant,
  Health,
  Interest,
  Offer,
  OnMessagePart,
  Outcome,
  Page,
  Registered,
  Repaired,
  SearchPlan,
  Stored,
} from '../../engine.js'
import { tokenOf } from '../../entry/token.js'
import { SpaceError } from '../../errors.js'
import { within } from '../../runtime/deadline.js'
import { Acceptance } from './acceptance.js'
import { ChangesOnRedis } from './changes.js'
import { Claims } from './claim.js'
import { Damage } from './damage.js'
import { agreedDurability, stillGiven } from './durability.js'
import { Finds } from './find.js'
import { healthOf } from './health.js'
import { Holdings } from './holdings.js'
import { keysOf } from './keys.js'
import { Listings } from './listing.js'
import { Moves } from './moves.js'
import { Registrations } from './notify.js'
import type { RedisOptions } from './options.js'
import { Presence } from './presence.js'
import { REPLY } from './protocol.js'
import { Pushes } from './pushes.js'
import { leaseText } from './record.js'
import { repair } from './repair.js'
import { Requests } from './requests.js'
import { SessionEntriesOnRedis } from './session-entry.js'
import { TakesOfMany } from './take-many.js'
import { RedisTickets } from './tickets.js'
import { Transactions } from './transaction.js'
import { TransactionsOnRedis } from './transactions-of-all.js'
import { TwoPhaseOnRedis } from './two-phase.js'
import { ask } from './wire/ask.js'
import { Batches } from './wire/batches.js'
import { Bodies } from './wire/bodies.js'
import { Connection } from './wire/connection.js'
import { Frames } from './wire/frames.js'
import { Level } from './wire/level.js'
import { ServerMemory } from './wire/server-memory.js'
import { Writes } from './write.js'

const FAREWELL_MS = 1_000

export class RedisEngine implements Engine {
  readonly presence: string
  readonly server: string
  readonly access: Access
  readonly tickets: RedisTickets
  readonly sessions: SessionEntriesOnRedis
  readonly changes: ChangesOnRedis
  readonly twoPhase: TwoPhaseOnRedis
  readonly transactions: TransactionsOnRedis
  readonly moves: Moves
  #durability = 'memory'
  /** The level is agreed on: from then on, it is what every server must give. */
  #isOpen = false
  readonly #connection: Connection
  readonly #level = new Level()
  readonly #batches: Batches
  readonly #bodies = new Bodies()
  readonly #memory = new ServerMemory()
  readonly #frames: Frames
  readonly #acceptance: Acceptance
  readonly #finds: Finds
  readonly #many: TakesOfMany
  readonly #claims: Claims
  readonly #writes: Writes
  readonly #requests: Requests
  readonly #listings: Listings
  readonly #transactions: Transactions
  readonly #registrations: Registrations
  readonly #ownPresence: Presence
  readonly #damage: Damage
  readonly #pushes: Pushes
  #closed = false

  static async open(url: string, options: RedisOptions): Promise<RedisEngine> {
    const engine = new RedisEngine(url, options)
    try {
      await engine.#open(options)
      return engine
    } catch (error) {
      await engine.close()
      throw error
    }
  }

  private constructor(url: string, { name, logger, bounds, access, partition, presence, durability }: RedisOptions) {
    this.server = url
    this.#damage = new Damage(logger)
    this.access = access
    const keys = keysOf(name, partition)
    this.presence = presence ?? uuidv7(undefined, Buffer.alloc(16)).toString('base64url')
    const nonce = `.${randomBytes(3).toString('base64url')}`
    this.#batches = new Batches(
      this.presence,
      nonce,
      this.#level,
      bounds,
      () => this.#lost(),
      () => this.#requests.arrivals(),
    )
    this.#transactions = new Transactions(this.presence, this.#batches)
    this.twoPhase = new TwoPhaseOnRedis(this.#batches, this.#transactions)
    this.transactions = new TransactionsOnRedis(this.#batches)
    this.#acceptance = new Acceptance(this.#batches, this.#bodies, keys, this.#transactions)
    this.#finds = new Finds(this.#batches, this.#acceptance, this.#transactions)
    this.#many = new TakesOfMany(this.#batches, this.#transactions, this.#acceptance)
    this.#writes = new Writes(this.presence, this.#batches, this.#bodies, keys, this.#transactions)
    this.changes = new ChangesOnRedis(this.#batches, this.#bodies, keys, this.#writes, this.#transactions, this.#finds)
    this.#requests = new Requests(this.#batches, this.#bodies, keys, this.#writes)
    this.#claims = new Claims(this.#batches, this.#bodies, keys, this.#writes, this.#transactions)
    const nameOf = (id: string): string => `${id}:${randomBytes(9).toString('base64url')}${nonce}`
    this.tickets = new RedisTickets(this.#batches, this.#bodies, keys, this.#writes, nameOf)
    this.#listings = new Listings(this.#batches, this.#bodies, keys, this.#transactions, this.deadLetter.bind(this))
    this.#registrations = new Registrations(this.#batches, this.#bodies, keys, this.#transactions)
    this.sessions = new SessionEntriesOnRedis(this.#batches, this.#writes, keys, bounds)
    this.moves = new Moves(this.#batches, this.#bodies, keys)
    this.#frames = new Frames(keys)
    const holdings = new Holdings({
      acceptance: this.#acceptance,
      claims: this.#claims,
      finds: this.#finds,
      registrations: this.#registrations,
      requests: this.#requests,
      sessions: this.sessions,
      transactions: this.#transactions,
      writes: this.#writes,
    })
    const allArrived = (pushed: number): boolean => this.#pushes.areComplete(pushed)
    this.#ownPresence = new Presence(this.presence, this.#batches, holdings, allArrived, logger)
    this.#pushes = new Pushes({
      requests: this.#requests,
      claims: this.#claims,
      finds: this.#finds,
      transactions: this.#transactions,
      twoPhase: this.twoPhase,
      registrations: this.#registrations,
      sessions: this.sessions,
      presence: this.#ownPresence,
      damage: this.#damage,
      level: this.#level,
      onLost: () => this.#lost(),
    })
    this.#connection = new Connection(
      url,
      access,
      { ...keys, pushes: keys.pushes(this.presence), messages: keys.messages(this.presence) },
      {
        onFound: (server) => {
          if (this.#isOpen) this.#durability = stillGiven(server, this.#durability, durability, logger)
        },
        onUp: (link) => {
          this.#pushes.restart()
          this.#level.up(link)
          this.#bodies.up(link)
          this.#frames.up(link)
          this.#memory.up(link)
          this.sessions.up(link)
          this.#ownPresence.up(link)
        },
        onDown: () => {
          this.#level.down()
          this.#bodies.down()
          this.#frames.down()
          this.#memory.down()
          this.sessions.down()
          this.#ownPresence.down()
        },
        onAway: (error) => this.#batches.away(error),
        onFailover: (isUnderWay) => this.#level.distrust(isUnderWay),
        onPush: (message) => this.#pushes.arrived(message),
        onMessagePart: (part, isFirst) => this.#frames.heard(part, isFirst),
        onDeaf: () => this.#frames.deaf(),
      },
      logger,
    )
  }

  get isCertain(): boolean {
    return this.#batches.lease.remainingMs > 0
  }

  get isReachable(): boolean {
    return this.#ownPresence.connected
  }

  get durability(): string {
    return this.#durability
  }

  async #open({ durability, connectTimeoutMs, logger, isMoving }: RedisOptions): Promise<void> {
    const server = await this.#connection.open(connectTimeoutMs)
    this.#durability = agreedDurability(server, durability, this.#connection.failsOver, logger)
    this.#level.replicas = replicasOf(this.#durability)
    this.#isOpen = true
    if (!(await within(connectTimeoutMs, this.#ownPresence.ready))) {
      throw new SpaceError('SPACE_UNREACHABLE', `No answer within ${connectTimeoutMs} ms.`)
    }
    // Once the presence is there: a move begins only if every presence knows of it.
    await this.moves.opened(server.run, isMoving === true)
  }

  async write(entries: readonly EncodedEntry[], tx?: string): Promise<Grant[]> {
    const grants = await this.#writes.write(entries, tx)
    if (tx !== undefined) this.#finds.lookAgain(tx)
    return grants
  }

  begin(leaseMs: number, onEnded: () => void): string {
    return this.#transactions.begin(leaseMs, onEnded)
  }

  renewTransaction(tx: string, leaseMs: number): Promise<Grant> {
    return this.#transactions.renew(tx, leaseMs)
  }

  async commit(tx: string, entries: readonly EncodedEntry[]): Promise<void> {
    const packed = await this.#writes.effects(entries)
    try {
      await this.#transactions.commit(tx, packed, (code) => this.#writes.noted(code))
    } catch (error) {
      this.#writes.failed(entries, error)
      throw error
    }
  }

  abort(tx: string): Promise<void> {
    return this.#transactions.abort(tx)
  }

  notify(interest: Interest): Promise<Registered> {
    return this.#registrations.notify(interest)
  }

  find(find: Find): Promise<Stored | null> {
    return this.#finds.find(find)
  }

  takeMany(find: Find, most: number): Promise<Stored[]> {
    return this.#many.take(find, most)
  }

  async renew(id: string, leaseMs: number): Promise<Grant | null> {
    if (this.#registrations.has(id)) return this.#registrations.renew(id, leaseMs)
    const named = { id, leaseMs: leaseText(leaseMs) }
    const { kind, now } = await ask(this.#batches, 'renew', named, { repeatable: true })
    return kind === REPLY.done ? { expiresAt: now + leaseMs } : null
  }

  async cancel(id: string): Promise<boolean> {
    if (this.#registrations.has(id)) return this.#registrations.cancel(id)
    const { kind } = await ask(this.#batches, 'cancel', { id }, { repeatable: false, redoable: true })
    return kind === REPLY.done
  }

  request(entry: EncodedEntry, onOutcome: (outcome: Outcome) => void): Promise<void> {
    return this.#requests.write(entry, onOutcome)
  }

  withdraw(id: string): Promise<void> {
    return this.#requests.withdraw(id)
  }

  offer(template: EncodedTemplate, credit: number, onDelivery: (delivery: Delivery) => void): Promise<Offer> {
    return this.#claims.offer(template, credit, onDelivery)
  }

  start(delivery: Delivery): Promise<boolean> {
    return this.#claims.start(delivery)
  }

  beginStreaming(delivery: Delivery, answers: boolean): Promise<boolean> {
    return this.#claims.beginStreaming(delivery, answers)
  }

  releaseSlot(delivery: Delivery): Promise<void> {
    return this.#claims.releaseSlot(delivery)
  }

  awaitIndefinitely(id: string): void {
    this.#requests.awaitIndefinitely(id)
  }

  post(presence: string, message: readonly Buffer[]): Promise<boolean> {
    return this.#frames.post(presence, message)
  }

  hear(onPart: OnMessagePart, onGap: () => void): Promise<void> {
    return this.#frames.hear(onPart, onGap)
  }

  complete(delivery: Delivery, body: Buffer, credit: number, along?: CompletionEffects): Promise<boolean> {
    return this.#claims.complete(delivery, body, credit, along)
  }

  release(delivery: Delivery): Promise<void> {
    return this.#claims.release(delivery)
  }

  async declareDead(presence: string): Promise<void> {
    await ask(this.#batches, 'declareDead', { presence }, { repeatable: true })
  }

  async suspend(presence: string, begun: readonly string[] | undefined): Promise<void> {
    const running = begun ? begun.join(' ') : '?'
    await ask(this.#batches, 'suspend', { presence, running }, { repeatable: true })
  }

  async deadLetter(id: string, reason: string): Promise<boolean> {
    const named = { id, reason: tokenOf(reason), claim: '' }
    return (await ask(this.#batches, 'deadLetter', named, { repeatable: true })).kind === REPLY.done
  }

  list(template: EncodedTemplate, after: string | null, most: number, tx?: string): Promise<Page> {
    return this.#listings.page(template, after, most, tx)
  }

  count(template: EncodedTemplate): Promise<number> {
    return this.#listings.count(template)
  }

  plan(template: EncodedTemplate): Promise<SearchPlan> {
    return this.#listings.plan(template)
  }

  backlog(template: EncodedTemplate): Promise<Backlog> {
    return this.#listings.backlog(template)
  }

  offered(template: EncodedTemplate): Promise<readonly string[] | null> {
    return this.#listings.offered(template)
  }

  kinds(): Promise<ReadonlyMap<string, number>> {
    return this.#listings.kinds()
  }

  repair(): Promise<Repaired> {
    return repair(this.#batches)
  }

  health(): Promise<Health> {
    return healthOf({
      memory: this.#memory,
      presence: this.#ownPresence,
      batches: this.#batches,
      writes: this.#writes,
      damage: this.#damage,
      // There is no lease of this id.
      ask: () => this.renew('', 0),
    })
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#finds.close()
    this.sessions.close()
    this.#frames.close()
    this.#ownPresence.leave()
    // Gives back at once what this process holds, instead of when another process notices that it is gone.
    if (this.#ownPresence.connected) await within(FAREWELL_MS, this.declareDead(this.presence)).catch(() => {})
    this.#ownPresence.close()
    this.#batches.close()
    this.#connection.close()
  }

  #lost(): void {
    if (!this.#closed) this.#ownPresence.lost()
  }
}

/** A process and its way to the space: what it says and hears is late, is lost when the link is cut, and ends when it is killed. */
import type {
  CompletionEffects,
  Delivery,
  EncodedEntry,
  EncodedTemplate,
  Engine,
  Find,
  Interest,
  Offer,
  Outcome,
} from '../../src/engine.js'
import { MemoryEngine } from '../../src/engines/memory/index.js'
import type { World } from '../../src/engines/memory/world.js'
import { SpaceError } from '../../src/errors.js'
import type { Chance } from './chance.js'
import type { VirtualTime } from './time.js'

/** Longer than a reconnect, as on Redis. */
const GRACE_MS = 250

/** Which claim on each entry is the last, and who was heard under another one. */
export class Ledger {
  readonly #last = new Map<string, string>()
  readonly violations: string[] = []

  handed({ id, claim }: Delivery): void {
    this.#last.set(id, claim)
  }

  accepted({ id, claim }: Delivery): void {
    if (this.#last.get(id) !== claim) this.violations.push(`a former holder of ${id} was heard`)
  }
}

/** What has been said and has not arrived. */
interface Message {
  arrive(): void
  /** The link was cut under it. */
  lost(): void
}

export class Process {
  readonly engine: Engine
  readonly #own: MemoryEngine
  readonly #world: World
  readonly #time: VirtualTime
  readonly #chance: Chance
  readonly #ledger: Ledger
  readonly #underWay = new Set<Message>()
  /** What is said later arrives later. */
  readonly #lastArrival = { there: 0, back: 0 }
  #heldUpUntil = 0
  alive = true

  constructor(world: World, time: VirtualTime, chance: Chance, ledger: Ledger) {
    this.#ledger = ledger
    this.#world = world
    this.#time = time
    this.#chance = chance
    this.#own = new MemoryEngine(world)
    this.engine = this.#link()
  }

  get session(): string {
    return this.#own.presence
  }

  /** It says and hears nothing any more. What it held is found when the space has noticed. */
  kill(): void {
    this.alive = false
    for (const message of this.#underWay) message.lost()
    this.#underWay.clear()
    this.#time.after(GRACE_MS + this.#chance.between(0, 250), () => this.#world.forget(this.session))
  }

  /** What is under way is lost; what comes later waits until the link is back. */
  cut(): void {
    this.#heldUpUntil = this.#time.now + this.#chance.between(5, GRACE_MS - 50)
    for (const message of [...this.#underWay]) {
      this.#underWay.delete(message)
      message.lost()
    }
  }

  /** Everything to and from it comes that much later. */
  pause(ms: number): void {
    this.#heldUpUntil = Math.max(this.#heldUpUntil, this.#time.now + ms)
  }

  #send(direction: 'there' | 'back', message: Message): void {
    if (!this.alive) return
    const late = Math.max(this.#time.now, this.#heldUpUntil) + this.#chance.between(0.1, 5)
    const at = Math.max(late, this.#lastArrival[direction])
    this.#lastArrival[direction] = at
    this.#underWay.add(message)
    this.#time.after(at - this.#time.now, () => {
      if (this.alive && this.#underWay.delete(message)) message.arrive()
    })
  }

  /** One call, as the batches of the Redis engine make it: a lost answer is asked for again, a lost call is said again. */
  #call<T>(call: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const answer = (settle: () => void): void => {
        this.#send('back', { arrive: settle, lost: () => answer(settle) })
      }
      const say = (): void => {
        this.#send('there', {
          arrive: () => {
            call().then(
              (value) => answer(() => resolve(value)),
              (error) => answer(() => reject(error)),
            )
          },
          lost: say,
        })
      }
      say()
    })
  }

  #link(): Engine {
    const own = this.#own
    const call = this.#call.bind(this)
    const tell = (arrive: () => void, lost: () => void): void => this.#send('back', { arrive, lost })
    const outcomes = (onOutcome: (outcome: Outcome) => void) => (outcome: Outcome) => {
      // Kept by the space until it has arrived.
      const again = (): void => tell(() => onOutcome(outcome), again)
      again()
    }
    return {
      durability: 'memory',
      isCertain: true,
      isReachable: true,
      presence: own.presence,
      sessions: own.sessions,
      changes: own.changes,
      write: (images: readonly EncodedEntry[], tx?: string) => call(() => own.write(images, tx)),
      find: (find: Find) => call(() => own.find(find)),
      takeMany: (find: Find, most) => call(() => own.takeMany(find, most)),
      count: (pattern) => call(() => own.count(pattern)),
      plan: (pattern) => call(() => own.plan(pattern)),
      repair: () => call(() => own.repair()),
      renew: (id, leaseMs) => call(() => own.renew(id, leaseMs)),
      cancel: (id) => call(() => own.cancel(id)),
      begin: (leaseMs, onEnded) => own.begin(leaseMs, onEnded),
      renewTransaction: (tx, leaseMs) => call(() => own.renewTransaction(tx, leaseMs)),
      commit: (tx, images) => call(() => own.commit(tx, images)),
      abort: (tx) => call(() => own.abort(tx)),
      notify: (interest: Interest) => call(() => own.notify(interest)),
      request: (image: EncodedEntry, onOutcome) => call(() => own.request(image, outcomes(onOutcome))),
      withdraw: (id) => call(() => own.withdraw(id)),
      offer: async (
        pattern: EncodedTemplate,
        credit: number,
        onDelivery: (delivery: Delivery) => void,
      ): Promise<Offer> => {
        const offer = await call(() =>
          own.offer(pattern, credit, (delivery) => {
            this.#ledger.handed(delivery)
            // One that was lost on its way is put back when the link is there again, and its slot is free.
            const lost = (): void => {
              if (this.alive) void call(() => own.release(delivery))
            }
            // What the worker has is its own; that its claim was lost is news like any other.
            const held: Delivery = { ...delivery }
            const toldOfLoss = (): void =>
              tell(
                () => held.holder?.lost(),
                () => toldOfLoss(),
              )
            delivery.holder = { lost: toldOfLoss }
            tell(() => onDelivery(held), lost)
          }),
        )
        return {
          get standing() {
            return offer.standing
          },
          get free() {
            return offer.free
          },
          addSlot: () => call(() => offer.addSlot()),
          withdrawSlot: () => call(() => offer.withdrawSlot()),
          end: () => call(() => offer.end()),
        }
      },
      start: (delivery) => call(() => own.start(delivery)),
      complete: (delivery, body, credit, along?: CompletionEffects) =>
        call(async () => {
          const accepted = await own.complete(delivery, body, credit, along)
          if (accepted) this.#ledger.accepted(delivery)
          return accepted
        }),
      beginStreaming: (delivery, answers) => call(() => own.beginStreaming(delivery, answers)),
      releaseSlot: (delivery) => call(() => own.releaseSlot(delivery)),
      awaitIndefinitely: (id) => own.awaitIndefinitely(id),
      post: (session, message) => call(() => own.post(session, message)),
      hear: (onPart, onGap) =>
        own.hear((part, isFirst) => {
          const missed = (): void => tell(onGap, missed)
          tell(() => onPart(part, isFirst), missed)
        }),
      release: (delivery) => call(() => own.release(delivery)),
      declareDead: (session) => call(() => own.declareDead(session)),
      suspend: (session, begun) => call(() => own.suspend(session, begun)),
      deadLetter: (id, reason) => call(() => own.deadLetter(id, reason)),
      list: (pattern, after, most, tx) => call(() => own.list(pattern, after, most, tx)),
      backlog: (pattern) => call(() => own.backlog(pattern)),
      offered: (pattern) => call(() => own.offered(pattern)),
      kinds: () => call(() => own.kinds()),
      tickets: {
        open: (ticket, image) => call(() => own.tickets.open(ticket, image)),
        settle: (id, outcome) => call(() => own.tickets.settle(id, outcome)),
        recordProgress: (id, note) => call(() => own.tickets.recordProgress(id, note)),
        reportProgress: (delivery, note) => call(() => own.tickets.reportProgress(delivery, note)),
        leave: (id) => call(() => own.tickets.leave(id)),
        look: (id) => call(() => own.tickets.look(id)),
        settled: () => call(() => own.tickets.settled()),
      },
      transactions: {
        list: (most) => call(() => own.transactions.list(most)),
        expire: (id) => call(() => own.transactions.expire(id)),
      },
      health: () => own.health(),
      close: async () => {
        if (!this.alive) throw new SpaceError('SPACE_CLOSED')
        await own.close()
      },
    }
  }
}

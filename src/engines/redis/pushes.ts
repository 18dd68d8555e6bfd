/** Pushes to this process: their order is checked, and each item goes to the part that it concerns. */
import type { Claims } from './claim.js'
import type { Damage } from './damage.js'
import type { Finds } from './find.js'
import type { Registrations } from './notify.js'
import type { Presence } from './presence.js'
import { PUSH, WAIT } from './protocol.js'
import type { Requests } from './requests.js'
import type { SessionEntriesOnRedis } from './session-entry.js'
import type { Transactions } from './transaction.js'
import type { TwoPhaseOnRedis } from './two-phase.js'
import type { Level } from './wire/level.js'
import { LIBRARY } from './wire/library.js'
import { headOf, type PushHead, type PushItem, readItems } from './wire/push.js'
import { PushOrder } from './wire/push-order.js'

/** The parts of the engine that are pushed to. */
export interface Receivers {
  readonly requests: Requests
  readonly claims: Claims
  readonly finds: Finds
  readonly transactions: Transactions
  readonly twoPhase: TwoPhaseOnRedis
  readonly registrations: Registrations
  readonly sessions: SessionEntriesOnRedis
  readonly presence: Presence
  readonly damage: Damage
  readonly level: Level
  /** The space has declared this process dead. */
  onLost(): void
}

export class Pushes {
  readonly #to: Receivers
  readonly #order = new PushOrder()

  constructor(to: Receivers) {
    this.#to = to
  }

  /** Begins anew on a new link. */
  restart(): void {
    this.#order.restart()
  }

  /** Returns whether all messages up to this number of this process's library have arrived. */
  areComplete(sent: number): boolean {
    return this.#order.isComplete(LIBRARY, sent)
  }

  /** Handles a message. A malformed one may come from anybody: it ends where it is malformed. */
  arrived(message: Buffer): void {
    const { damage, presence } = this.#to
    const head = headOf(message)
    if (!head) return damage.malformed()
    if (!this.#order.follows(head)) presence.outOfStep('pushes were lost')
    this.#handAtLevel(message, head)
  }

  /** Hands out the items once the level is reached. Who waits for an outcome learns that it is not reached in time. */
  #handAtLevel(message: Buffer, head: PushHead): void {
    const { level, damage, presence, requests } = this.#to
    level.after(
      () => {
        if (readItems(message, head, (item, now) => this.#hand(item, now))) return
        damage.malformed()
        presence.outOfStep('pushes were lost')
      },
      () => {
        readItems(message, head, ({ kind, first, bytes }) => {
          if (kind === PUSH.outcome) requests.unconfirmed(first, bytes)
        })
        this.#handAtLevel(message, head)
      },
    )
  }

  #hand({ kind, first, second, bytes }: PushItem, now: number): void {
    const { requests, claims, finds, transactions, registrations, sessions, presence, damage, onLost } = this.#to
    if (kind === PUSH.outcome) return requests.outcome(first, bytes)
    if (kind === PUSH.claimLost) return claims.lost(({ claim }) => first.startsWith(claim))
    if (kind === PUSH.withdrawn) return claims.lost(({ id }) => id === first)
    if (kind === PUSH.requesterGone) return claims.requesterGone(first)
    if (kind === PUSH.presenceLost) return onLost()
    if (kind === PUSH.outOfStep) return presence.outOfStep('a repair')
    if (kind === PUSH.damaged) return damage.found(first)
    if (kind === PUSH.ended) return (first.startsWith(':') ? registrations : transactions).ended(first.slice(1))
    if (kind === PUSH.event) return registrations.event(first, second, bytes, now)
    if (kind === PUSH.prepared || kind === PUSH.decided) {
      if (!this.#to.twoPhase.unfinished(kind, bytes)) damage.malformed()
      return
    }
    if (presence.syncing) return
    const isLock = first.startsWith(WAIT.lock)
    if (kind === PUSH.missed) return isLock ? sessions.missed(first) : finds.missed(first)
    if (kind === PUSH.lookAgain) return finds.lookAgain(first)
    if (kind === PUSH.shown) return finds.shown(first, second, bytes, now)
    if (kind !== PUSH.delivery) return damage.malformed()
    if (first.startsWith(WAIT.offer)) claims.delivered(first, second, bytes, now)
    else if (isLock) sessions.granted(first, second, bytes, now)
    else finds.delivered(first, second, bytes, now)
  }
}

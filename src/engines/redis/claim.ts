/** Offers, which are standing takes with credit, and the start, completion or return of each delivery under them. */

import type { CompletionEffects, Delivery, EncodedTemplate, Offer } from '../../engine.js'
import { tokenOf } from '../../entry/token.js'
import { isSpaceError, SpaceError } from '../../errors.js'
import { InFlight, type Placed } from '../../runtime/in-flight.js'
import { bodyWithChecksum } from './checksum.js'
import { idOf } from './find.js'
import type { Keys } from './keys.js'
import { OUTCOME, PLACE, REPLY, SIGN, WAIT } from './protocol.js'
import { type Parsed, packedTemplate, parseRecord } from './record.js'
import type { Transactions } from './transaction.js'
import { ask } from './wire/ask.js'
import type { Batches } from './wire/batches.js'
import { Bodies } from './wire/bodies.js'
import { type Argument, Prefixed } from './wire/resp.js'
import type { Writes } from './write.js'

/**
 * Time for a requester that was declared dead to join again. Its requests are in the space until then, and their
 * outcomes reach it.
 */
const REJOIN_MS = 1_000

interface StandingOffer {
  readonly wait: string
  readonly template: EncodedTemplate
  readonly onDelivery: (delivery: Delivery) => void
  /** Most deliveries that may occupy a slot at a time; `held` is how many do. */
  capacity: number
  held: number
  /** The space has confirmed the registration since it was last requested. */
  answered: boolean
  ended: boolean
}

/** A delivery, with the fields that only the engine uses. */
interface ClaimedDelivery extends Delivery, Placed {
  readonly offer: StandingOffer
  readonly byReference: boolean
  /** Its slot was given to another delivery. */
  slotReleased: boolean
  /** It is being given back: its holder can do nothing more with it. */
  returning: boolean
  /** Appended to the claim once the space knows that the holder has started. */
  mark: '' | typeof SIGN.started
}

export class Claims {
  readonly #batches: Batches
  readonly #bodies: Bodies
  readonly #keys: Keys
  readonly #writes: Writes
  readonly #transactions: Transactions
  readonly #offers = new Map<string, StandingOffer>()
  readonly #held = new InFlight<ClaimedDelivery>()
  /** Claims of deliveries whose large bodies are being fetched. */
  readonly #fetching = new Set<string>()
  /** Requesters that were declared dead within REJOIN_MS, each with the time that it has to join again. */
  readonly #gone = new Map<string, NodeJS.Timeout>()
  #waits = 0

  constructor(batches: Batches, bodies: Bodies, keys: Keys, writes: Writes, transactions: Transactions) {
    this.#writes = writes
    this.#transactions = transactions
    this.#batches = batches
    this.#bodies = bodies
    this.#keys = keys
  }

  async offer(template: EncodedTemplate, capacity: number, onDelivery: (delivery: Delivery) => void): Promise<Offer> {
    const wait = `${WAIT.offer}${(++this.#waits).toString(36)}`
    const offer: StandingOffer = { wait, template, onDelivery, capacity, held: 0, answered: false, ended: false }
    this.#offers.set(wait, offer)
    await this.#ask(offer).catch((error: SpaceError) => {
      // Without a link, the offer is registered on the next one.
      if (!error.retryable) throw error
    })
    const batches = this.#batches
    return {
      get standing() {
        return offer.answered && !offer.ended && batches.flowing
      },
      get free() {
        return offer.ended ? 0 : Math.max(offer.capacity - offer.held, 0)
      },
      addSlot: () => this.#addSlot(offer),
      withdrawSlot: () => this.#withdrawSlot(offer),
      end: async () => {
        if (offer.ended) return
        offer.ended = true
        // Pushes that were sent before the reply arrive before it; without a link nothing arrives.
        await ask(this.#batches, 'endOffer', { wait }, { repeatable: true, standing: true }).catch(() => {})
        this.#offers.delete(wait)
      },
    }
  }

  /** Handles an entry that was handed to an offer of this process. */
  delivered(wait: string, claim: string, record: Buffer, now: number): void {
    const offer = this.#offers.get(wait)
    const parsed = parseRecord(idOf(claim), record, now)
    if (!offer) return void ask(this.#batches, 'giveBack', { claim, wait: '' }, { repeatable: true }).catch(() => {})
    offer.held++
    const waitedMs = now - parsed.writtenAt
    if (parsed.damaged) this.#setAside(offer, claim, parsed.id, 'damaged')
    else if (parsed.byReference) void this.#fetch(offer, claim, parsed, waitedMs)
    else this.#hand(offer, claim, parsed, waitedMs)
  }

  async start(delivery: Delivery): Promise<boolean> {
    const held = delivery as ClaimedDelivery
    if (!this.#isHeld(held)) return false
    const { kind } = await ask(this.#batches, 'start', { claim: held.claim }, { repeatable: true })
    if (kind !== REPLY.done) return false
    held.mark = SIGN.started
    return true
  }

  async beginStreaming(delivery: Delivery, answers: boolean): Promise<boolean> {
    const held = delivery as ClaimedDelivery
    if (!this.#isHeld(held)) return false
    const named = { claim: held.claim, answers: answers ? '1' : '0' }
    const { kind } = await ask(this.#batches, 'beginStreaming', named, { repeatable: true })
    if (kind !== REPLY.done) return false
    held.mark = SIGN.started
    return true
  }

  /**
   * Without a link the slot is requested with the offer, whose credit is what its capacity has left. A beat compares
   * that with the space, so the capacity changes with the reply.
   */
  async #addSlot(offer: StandingOffer): Promise<void> {
    const options = { repeatable: false, standing: true }
    if (!offer.ended) await ask(this.#batches, 'releaseSlot', { wait: offer.wait }, options).catch(() => {})
    offer.capacity++
  }

  /** Without a link the offer is registered anew without the slot, unless a delivery has taken it. */
  async #withdrawSlot(offer: StandingOffer): Promise<boolean> {
    const hasFree = (): boolean => !offer.ended && offer.capacity > offer.held
    if (!hasFree()) return false
    const options = { repeatable: false, standing: true }
    const isFree = await ask(this.#batches, 'withdrawSlot', { wait: offer.wait }, options).then(
      ({ kind }) => kind === REPLY.done,
      hasFree,
    )
    if (isFree) offer.capacity--
    return isFree
  }

  async releaseSlot(delivery: Delivery): Promise<void> {
    const held = delivery as ClaimedDelivery
    if (!this.#isHeld(held) || held.slotReleased) return
    held.slotReleased = true
    held.offer.held--
    // Without a link, the slot is requested with the offer, whose credit excludes only what it holds.
    const options = { repeatable: false, standing: true }
    if (!held.offer.ended) await ask(this.#batches, 'releaseSlot', { wait: held.offer.wait }, options).catch(() => {})
  }

  complete(delivery: Delivery, body: Buffer, credit: number, along?: CompletionEffects): Promise<boolean> {
    const held = delivery as ClaimedDelivery
    if (!this.#isHeld(held)) return Promise.resolve(false)
    if (Bodies.isLarge(body)) return this.#completeLarge(held, body, credit, along)
    const outcome = new Prefixed(OUTCOME.completed, body)
    return along ? this.#completeWith(held, outcome, credit, along) : this.#complete(held, outcome, credit)
  }

  async #completeLarge(
    held: ClaimedDelivery,
    body: Buffer,
    credit: number,
    along?: CompletionEffects,
  ): Promise<boolean> {
    await this.#putOutcome(held, body)
    const outcome = OUTCOME.completedByReference + held.claim
    const accepted = await (along
      ? this.#completeWith(held, outcome, credit, along)
      : this.#complete(held, outcome, credit))
    if (!accepted) this.#bodies.drop(this.#keys.outcomeBody(held.claim))
    return accepted
  }

  #complete(held: ClaimedDelivery, outcome: Argument, credit: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#batches.add({
        name: 'complete',
        args: [completionHeaderOf(held, credit), held.claim + held.mark, outcome],
        repeatable: true,
        reply: (kind) => {
          this.#drop(held)
          resolve(kind === REPLY.done)
        },
        fail: (error) => {
          this.#drop(held)
          reject(error)
        },
      })
    })
  }

  /** Completes a claim together with writes and a transaction: all take effect, or none if the claim was lost. */
  async #completeWith(
    held: ClaimedDelivery,
    outcome: Argument,
    credit: number,
    { entries, tx }: CompletionEffects,
  ): Promise<boolean> {
    const named = {
      header: completionHeaderOf(held, credit),
      claim: held.claim + held.mark,
      outcome,
      transaction: tx !== undefined && this.#transactions.isAnnounced(tx) ? tx : '',
      entries: await this.#writes.effects(entries),
    }
    const options = { repeatable: true, entries: entries.length }
    const { kind, values } = await ask(this.#batches, 'completeWith', named, options)
    if (kind !== REPLY.done) this.#writes.refused(entries)
    if (kind === REPLY.failed) throw this.#writes.noted(values[0]!)
    if (kind === REPLY.transactionEnded) throw new SpaceError('TRANSACTION_ENDED')
    if (kind === REPLY.done && tx !== undefined) this.#transactions.close(tx)
    this.#drop(held)
    return kind === REPLY.done
  }

  async release(delivery: Delivery): Promise<void> {
    const held = delivery as ClaimedDelivery
    if (!this.#isHeld(held)) return
    held.returning = true
    const { claim, mark, offer } = held
    const wait = offer.ended || held.slotReleased ? '' : offer.wait
    try {
      await ask(this.#batches, 'giveBack', { claim: claim + mark, wait }, { repeatable: true })
    } finally {
      // Not before: the credit that a reconnect asks for excludes this slot, which the operation returns.
      this.#drop(held)
    }
  }

  /** Tells the holders of matching deliveries that their work no longer counts: the claim has ended in the space. */
  lost(is: (delivery: Delivery) => boolean): void {
    for (const held of [...this.#held]) if (is(held)) held.holder?.lost()
  }

  /** A requester was declared dead. Unless it joins again, the holders of its requests are told. */
  requesterGone(presence: string): void {
    clearTimeout(this.#gone.get(presence))
    this.#gone.set(presence, setTimeout(() => this.#checkRequester(presence), REJOIN_MS).unref())
  }

  claims(): string[] {
    return [...Array.from(this.#held, ({ claim, mark }) => claim + mark), ...this.#fetching]
  }

  /** The number of offers, and the deliveries that they have room for. */
  get offers(): { readonly count: number; readonly credit: number } {
    const standing = [...this.#offers.values()].filter(({ ended }) => !ended)
    const credit = standing.reduce((sum, { capacity, held }) => sum + Math.max(capacity - held, 0), 0)
    return { count: standing.length, credit }
  }

  askAnew(): void {
    for (const offer of this.#offers.values()) if (!offer.ended) this.#ask(offer).catch(() => {})
  }

  /**
   * Stores the large body of an outcome. If that fails, gives the claim back: another holder can try, or the requester
   * is told.
   */
  async #putOutcome(delivery: ClaimedDelivery, body: Buffer): Promise<void> {
    try {
      await this.#bodies.put(this.#keys.outcomeBody(delivery.claim), body).catch((error) => {
        if (!isSpaceError(error, 'SPACE_FULL')) throw error
        // A full server refuses plain commands, but an outcome must never be refused: its body then goes through Lua.
        const named = { claim: delivery.claim, body: bodyWithChecksum(body) }
        return ask(this.#batches, 'putOutcomeBody', named, { repeatable: true })
      })
    } catch (error) {
      this.release(delivery).catch(() => {})
      throw error
    }
  }

  #checkRequester(presence: string): void {
    const claims = [...this.#held].flatMap(({ requester, claim }) => (requester === presence ? [claim] : []))
    this.#gone.delete(presence)
    // Without a link, the next sync tells.
    if (claims.length > 0)
      ask(this.#batches, 'checkRequesters', { claims: claims.join(' ') }, { repeatable: true }).catch(() => {})
  }

  async #ask(offer: StandingOffer): Promise<void> {
    offer.answered = false
    const { anyOf = [] } = offer.template
    const named = {
      wait: offer.wait,
      credit: String(Math.max(offer.capacity - offer.held, 0)),
      template: packedTemplate(offer.template),
      alternatives: anyOf.join('|'),
    }
    await ask(this.#batches, 'offer', named, { repeatable: true, standing: true })
    offer.answered = true
  }

  #hand(offer: StandingOffer, claim: string, parsed: Parsed, waitedMs: number): void {
    const held: ClaimedDelivery = {
      place: -1,
      offer,
      requester: parsed.requester,
      byReference: parsed.byReference,
      slotReleased: false,
      returning: false,
      mark: '',
      id: parsed.id,
      kinds: parsed.kinds,
      indexed: parsed.indexed,
      body: parsed.body,
      priority: parsed.priority,
      writtenAt: parsed.writtenAt,
      remainingMs: parsed.remainingMs,
      claim,
      attempt: parsed.deaths + 1,
      waitedMs,
      repeatable: parsed.repeatable,
      holder: undefined,
    }
    this.#held.add(held)
    offer.onDelivery(held)
  }

  async #fetch(offer: StandingOffer, claim: string, parsed: Parsed, waitedMs: number): Promise<void> {
    this.#fetching.add(claim)
    try {
      const body = await this.#bodies.get(this.#keys.body(parsed.id))
      this.#fetching.delete(claim)
      if (body) this.#hand(offer, claim, { ...parsed, body }, waitedMs)
      else this.#setAside(offer, claim, parsed.id, 'bodiless')
    } catch {
      // The link is down; the next sync puts back what this process does not hold.
      this.#fetching.delete(claim)
      await ask(this.#batches, 'giveBack', { claim, wait: offer.wait }, { repeatable: true }).catch(() => {})
      offer.held--
    }
  }

  /** Moves an entry that cannot be delivered to the dead letters; its slot is free again. */
  #setAside(offer: StandingOffer, claim: string, id: string, reason: string): void {
    offer.held--
    ask(this.#batches, 'deadLetter', { id, reason: tokenOf(reason), claim }, { repeatable: true }).catch(() => {
      // Without a link, the next sync gives the claim back, and the next holder sets the entry aside.
    })
    const options = { repeatable: false, standing: true }
    if (!offer.ended) ask(this.#batches, 'releaseSlot', { wait: offer.wait }, options).catch(() => {})
  }

  #isHeld(held: ClaimedDelivery): boolean {
    return this.#held.has(held) && !held.returning
  }

  #drop(held: ClaimedDelivery): boolean {
    if (!this.#held.remove(held)) return false
    if (!held.slotReleased) held.offer.held--
    return true
  }
}

/** Returns the header that many completions share: offer, credit, place of the request's body, requester. */
const completionHeaderOf = ({ offer, byReference, slotReleased, requester }: ClaimedDelivery, credit: number): string =>
  `${offer.wait} ${offer.ended || slotReleased ? 0 : credit} ${byReference ? PLACE.reference : PLACE.inline} ${requester || '-'}`

/** Offers and what is held under them: a standing take with credit, and the start, completion or return of each delivery. */

import type { CompletionEffects, Delivery, EncodedTemplate, Offer } from '../../engine.js'
import { isSpaceError, SpaceError } from '../../errors.js'
import { InFlight, type Placed } from '../../runtime/in-flight.js'
import { idOf } from './find.js'
import type { Keys } from './keys.js'
import { OUTCOME, PLACE, REPLY, SIGN, WAIT } from './protocol.js'
import { type Parsed, packedTemplate, parseRecord } from './record.js'
import type { Transactions } from './transaction.js'
import { ask } from './wire/ask.js'
import type { Batches } from './wire/batches.js'
import { Bodies } from './wire/bodies.js'
import type { Writes } from './write.js'

const COMPLETED = Buffer.from(OUTCOME.completed)

interface Standing {
  readonly wid: string
  readonly template: EncodedTemplate
  readonly onDelivery: (delivery: Delivery) => void
  /** All it has room for, and how much of that is taken up. */
  readonly capacity: number
  held: number
  /** Whether the space has answered that it stands, since it was last asked. */
  answered: boolean
  ended: boolean
}

/** A delivery, with what its holder need not know. */
interface Held extends Delivery, Placed {
  readonly offer: Standing
  readonly byReference: boolean
  /** Whether its place was given to another one. */
  lent: boolean
  /** Behind its claim once the space knows that it has started. */
  mark: '' | typeof SIGN.started
}

export class Claims {
  readonly #batches: Batches
  readonly #bodies: Bodies
  readonly #keys: Keys
  readonly #writes: Writes
  readonly #transactions: Transactions
  readonly #offers = new Map<string, Standing>()
  readonly #held = new InFlight<Held>()
  #wids = 0

  constructor(batches: Batches, bodies: Bodies, keys: Keys, writes: Writes, transactions: Transactions) {
    this.#writes = writes
    this.#transactions = transactions
    this.#batches = batches
    this.#bodies = bodies
    this.#keys = keys
  }

  async offer(template: EncodedTemplate, capacity: number, onDelivery: (delivery: Delivery) => void): Promise<Offer> {
    const wid = `${WAIT.offer}${(++this.#wids).toString(36)}`
    const offer: Standing = { wid, template, onDelivery, capacity, held: 0, answered: false, ended: false }
    this.#offers.set(wid, offer)
    await this.#ask(offer).catch((error: SpaceError) => {
      // Without a link it is asked for anew when there is one.
      if (!error.retryable) throw error
    })
    const batches = this.#batches
    return {
      get standing() {
        return offer.answered && !offer.ended && batches.flowing
      },
      end: async () => {
        if (offer.ended) return
        offer.ended = true
        // What was pushed before this is answered arrives before the answer; without a link nothing arrives.
        await ask(this.#batches, 'endOffer', { wait: wid }, { repeatable: true, standing: true }).catch(() => {})
        this.#offers.delete(wid)
      },
    }
  }

  /** An entry handed to an offer of this process. */
  delivered(wid: string, claim: string, record: Buffer, now: number): void {
    const offer = this.#offers.get(wid)
    const parsed = parseRecord(idOf(claim), record, now)
    if (!offer) return this.#giveBack(claim)
    offer.held++
    const waitedMs = now - parsed.writtenAt
    if (parsed.byReference) void this.#fetch(offer, claim, parsed, waitedMs)
    else this.#hand(offer, claim, parsed, waitedMs)
  }

  async start(delivery: Delivery): Promise<boolean> {
    const held = delivery as Held
    if (!this.#held.has(held)) return false
    const { kind } = await ask(this.#batches, 'start', { claim: held.claim }, { repeatable: true })
    if (kind !== REPLY.done) return false
    held.mark = SIGN.started
    return true
  }

  async beginStreaming(delivery: Delivery, answers: boolean): Promise<boolean> {
    const held = delivery as Held
    if (!this.#held.has(held)) return false
    const named = { claim: held.claim, answers: answers ? '1' : '0' }
    const { kind } = await ask(this.#batches, 'beginStreaming', named, { repeatable: true })
    if (kind !== REPLY.done) return false
    held.mark = SIGN.started
    return true
  }

  async releaseSlot(delivery: Delivery): Promise<void> {
    const held = delivery as Held
    if (!this.#held.has(held) || held.lent) return
    held.lent = true
    held.offer.held--
    // Without a link it is asked for with the offer, which counts what it holds.
    if (!held.offer.ended)
      await ask(this.#batches, 'releaseSlot', { wait: held.offer.wid }, { repeatable: false }).catch(() => {})
  }

  async complete(delivery: Delivery, body: Buffer, credit: number, along?: CompletionEffects): Promise<boolean> {
    const held = delivery as Held
    if (!this.#held.has(held)) return false
    const large = Bodies.isLarge(body)
    if (large) await this.#putOutcome(held, body)
    const outcome = large ? Buffer.from(OUTCOME.completedByReference + held.claim) : Buffer.concat([COMPLETED, body])
    const accepted = await (along
      ? this.#completeWith(held, outcome, credit, along)
      : this.#complete(held, outcome, credit))
    if (large && !accepted) this.#bodies.drop(this.#keys.outcomeBody(held.claim))
    return accepted
  }

  #complete(held: Held, outcome: Buffer, credit: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#batches.add({
        name: 'complete',
        args: [completionHeaderOf(held, credit), held.claim + held.mark, outcome],
        repeatable: true,
        reply: (kind) => {
          this.#let(held)
          resolve(kind === REPLY.done)
        },
        fail: (error) => {
          this.#let(held)
          reject(error)
        },
      })
    })
  }

  /** All of it is so if the claim is accepted, else nothing. */
  async #completeWith(
    held: Held,
    outcome: Buffer,
    credit: number,
    { entries, tx }: CompletionEffects,
  ): Promise<boolean> {
    const named = {
      header: completionHeaderOf(held, credit),
      claim: held.claim + held.mark,
      outcome,
      transaction: tx !== undefined && this.#transactions.isTold(tx) ? tx : '',
      entries: await this.#writes.effects(entries),
    }
    const options = { repeatable: true, entries: entries.length }
    const { kind, values } = await ask(this.#batches, 'completeWith', named, options)
    if (kind !== REPLY.done) this.#writes.refused(entries)
    if (kind === REPLY.failed) throw this.#writes.noted(values[0]!)
    if (kind === REPLY.transactionEnded) throw new SpaceError('TRANSACTION_ENDED')
    if (kind === REPLY.done && tx !== undefined) this.#transactions.close(tx)
    this.#let(held)
    return kind === REPLY.done
  }

  async release(delivery: Delivery): Promise<void> {
    const held = delivery as Held
    if (!this.#let(held)) return
    const { claim, mark, offer } = held
    const wait = offer.ended || held.lent ? '' : offer.wid
    await ask(this.#batches, 'giveBack', { claim: claim + mark, wait }, { repeatable: true })
  }

  /** The space has given these claims to nobody or to others: whatever still runs here works for nobody. */
  lost(is: (delivery: Delivery) => boolean): void {
    for (const held of [...this.#held]) if (is(held)) held.holder?.lost()
  }

  claims(): string[] {
    return Array.from(this.#held, ({ claim, mark }) => claim + mark)
  }

  askAnew(): void {
    for (const offer of this.#offers.values()) if (!offer.ended) this.#ask(offer).catch(() => {})
  }

  /** An answer that cannot be given is given up: another holder may try, or the requester is told. */
  async #putOutcome(delivery: Held, body: Buffer): Promise<void> {
    try {
      await this.#bodies.put(this.#keys.outcomeBody(delivery.claim), body).catch((error) => {
        if (!isSpaceError(error, 'SPACE_FULL')) throw error
        // A full server refuses plain commands; but an answer ends something and is never refused, so this one pays its way through Lua.
        return ask(this.#batches, 'putOutcomeBody', { claim: delivery.claim, body }, { repeatable: true })
      })
    } catch (error) {
      this.release(delivery).catch(() => {})
      throw error
    }
  }

  async #ask(offer: Standing): Promise<void> {
    offer.answered = false
    const { anyOf = [] } = offer.template
    const named = {
      wait: offer.wid,
      credit: String(Math.max(offer.capacity - offer.held, 0)),
      template: packedTemplate(offer.template),
      alternatives: anyOf.join('|'),
    }
    await ask(this.#batches, 'offer', named, { repeatable: true, standing: true })
    offer.answered = true
  }

  #hand(offer: Standing, claim: string, parsed: Parsed, waitedMs: number): void {
    const held: Held = {
      place: -1,
      offer,
      requester: parsed.requester,
      byReference: parsed.byReference,
      lent: false,
      mark: '',
      id: parsed.id,
      kinds: parsed.kinds,
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

  async #fetch(offer: Standing, claim: string, parsed: Parsed, waitedMs: number): Promise<void> {
    try {
      const body = await this.#bodies.get(this.#keys.body(parsed.id))
      if (body) return this.#hand(offer, claim, { ...parsed, body }, waitedMs)
    } catch {
      // The link is down; the next sync puts back what this process does not hold.
    }
    offer.held--
    this.#giveBack(claim, offer)
  }

  #let(held: Held): boolean {
    if (!this.#held.remove(held)) return false
    if (!held.lent) held.offer.held--
    return true
  }

  #giveBack(claim: string, offer?: Standing): void {
    ask(this.#batches, 'giveBack', { claim, wait: offer?.wid ?? '' }, { repeatable: true }).catch(() => {})
  }
}

/** What many completions share: offer, credit, whether the request's body has a key of its own, whom to tell. */
const completionHeaderOf = ({ offer, byReference, lent, requester }: Held, credit: number): string =>
  `${offer.wid} ${offer.ended || lent ? 0 : credit} ${byReference ? PLACE.reference : PLACE.inline} ${requester || '-'}`

/** Offers and what is held under them: a standing take with credit, and the start, completion or return of each delivery. */

import type { CompletionEffects, Delivery, EncodedTemplate, Offer } from '../../engine.js'
import { isSpaceError, SpaceError } from '../../errors.js'
import { InFlight, type Placed } from '../../runtime/in-flight.js'
import { idOf, specOf } from './find.js'
import type { Keys } from './keys.js'
import { type Parsed, parseRecord } from './record.js'
import type { Transactions } from './transaction.js'
import { ask } from './wire/ask.js'
import type { Batches } from './wire/batches.js'
import { Bodies, UNTIL_WRITTEN_MS } from './wire/bodies.js'
import type { Writes } from './write.js'

const COMPLETED = Buffer.from('c')

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
  /** `!` once the space knows that it has started. */
  mark: '' | '!'
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
    const wid = `o${(++this.#wids).toString(36)}`
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
        await ask(this.#batches, ['O', wid], { repeatable: true, standing: true }).catch(() => {})
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
    const { letter } = await ask(this.#batches, ['s', held.claim], { repeatable: true })
    if (letter !== 'k') return false
    held.mark = '!'
    return true
  }

  async hold(delivery: Delivery, answers: boolean): Promise<boolean> {
    const held = delivery as Held
    if (!this.#held.has(held)) return false
    const { letter } = await ask(this.#batches, ['h', held.claim, answers ? '1' : '0'], { repeatable: true })
    if (letter !== 'k') return false
    held.mark = '!'
    return true
  }

  async lend(delivery: Delivery): Promise<void> {
    const held = delivery as Held
    if (!this.#held.has(held) || held.lent) return
    held.lent = true
    held.offer.held--
    // Without a link it is asked for with the offer, which counts what it holds.
    if (!held.offer.ended) await ask(this.#batches, ['H', held.offer.wid], { repeatable: false }).catch(() => {})
  }

  async complete(delivery: Delivery, body: Buffer, credit: number, along?: CompletionEffects): Promise<boolean> {
    const held = delivery as Held
    if (!this.#held.has(held)) return false
    const large = Bodies.isLarge(body)
    if (large) await this.#putOutcome(held, body)
    const outcome = large ? Buffer.from(`C${held.claim}`) : Buffer.concat([COMPLETED, body])
    const accepted = await (along
      ? this.#completeWith(held, outcome, credit, along)
      : this.#complete(held, outcome, credit))
    if (large && !accepted) this.#bodies.drop(this.#keys.outcomeBody(held.claim))
    return accepted
  }

  #complete(held: Held, outcome: Buffer, credit: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#batches.add({
        form: formOf(held, credit),
        args: ['c', held.claim + held.mark, outcome],
        repeatable: true,
        answer: (letter) => {
          this.#let(held)
          resolve(letter === 'k')
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
    const packed = await this.#writes.along(entries)
    const under = tx !== undefined && this.#transactions.isTold(tx) ? tx : ''
    const args = ['e', formOf(held, credit), held.claim + held.mark, outcome, under, ...packed]
    const { letter, values } = await ask(this.#batches, args, { repeatable: true, entries: entries.length })
    if (letter !== 'k') this.#writes.refused(entries)
    if (letter === 'e') throw this.#writes.noted(values[0]!)
    if (letter === 'T') throw new SpaceError('TRANSACTION_ENDED')
    if (letter === 'k' && tx !== undefined) this.#transactions.close(tx)
    this.#let(held)
    return letter === 'k'
  }

  async release(delivery: Delivery): Promise<void> {
    const held = delivery as Held
    if (!this.#let(held)) return
    const { claim, mark, offer } = held
    await ask(this.#batches, ['r', claim + mark, offer.ended || held.lent ? '' : offer.wid], { repeatable: true })
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
      await this.#bodies.put(this.#keys.outcomeBody(delivery.claim), body, UNTIL_WRITTEN_MS).catch((error) => {
        if (!isSpaceError(error, 'SPACE_FULL')) throw error
        // A full server refuses plain commands; but an answer ends something and is never refused, so this one pays its way through Lua.
        return ask(this.#batches, ['S', delivery.claim, body], { repeatable: true })
      })
    } catch (error) {
      this.release(delivery).catch(() => {})
      throw error
    }
  }

  async #ask(offer: Standing): Promise<void> {
    offer.answered = false
    const credit = String(Math.max(offer.capacity - offer.held, 0))
    const { anyOf = [] } = offer.template
    const args = ['o', offer.wid, credit, ...specOf(offer.template), String(anyOf.length), ...anyOf]
    await ask(this.#batches, args, { repeatable: true, standing: true })
    offer.answered = true
  }

  #hand(offer: Standing, claim: string, parsed: Parsed, waitedMs: number): void {
    const held: Held = {
      place: -1,
      offer,
      requester: parsed.replyTo,
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
    ask(this.#batches, ['r', claim, offer?.wid ?? ''], { repeatable: true }).catch(() => {})
  }
}

/** What many completions share: offer, credit, whether the request's body has a key of its own, whom to tell. */
const formOf = ({ offer, byReference, lent, requester }: Held, credit: number): string =>
  `${offer.wid} ${offer.ended || lent ? 0 : credit} ${byReference ? '@' : '.'} ${requester || '-'}`

/** Acceptance: the steps from an entry that reaches a find to an entry that belongs to the caller. */
import type { Find, Stored } from '../../engine.js'
import { tokenOf } from '../../entry/token.js'
import { isSpaceError } from '../../errors.js'
import type { Keys } from './keys.js'
import { REPLY } from './protocol.js'
import type { Parsed } from './record.js'
import type { Transactions } from './transaction.js'
import { ask } from './wire/ask.js'
import type { Batches } from './wire/batches.js'
import type { Bodies } from './wire/bodies.js'

/** The part of a find that an acceptance needs. */
export type Accepting = Pick<Find, 'tx' | 'conforms' | 'onNonconforming'>

export class Acceptance {
  readonly #batches: Batches
  readonly #bodies: Bodies
  readonly #keys: Keys
  readonly #transactions: Transactions
  /** Claims of plain takes, until they are acknowledged. */
  readonly #underWay = new Set<string>()

  constructor(batches: Batches, bodies: Bodies, keys: Keys, transactions: Transactions) {
    this.#batches = batches
    this.#bodies = bodies
    this.#keys = keys
    this.#transactions = transactions
  }

  claims(): Iterable<string> {
    return this.#underWay
  }

  /**
   * Returns the entry if it belongs to the find from now on. Returns null, so that the find goes on, if the claim was
   * lost or the entry was moved to the dead letters: it is damaged, has no body, or does not conform to its schema.
   */
  async accept(find: Accepting, claim: string, parsed: Parsed): Promise<Stored | null> {
    if (claim) this.#underWay.add(claim)
    try {
      const stored = parsed.damaged ? null : await this.#complete(parsed)
      if (!stored || !(await this.#conforms(find, claim, stored))) {
        const reason = parsed.damaged ? 'damaged' : stored ? 'nonconforming' : 'bodiless'
        const isMoved = await this.#moveToDeadLetters(claim, parsed.id, reason)
        if (stored && isMoved) find.onNonconforming?.(stored)
        return null
      }
      return claim && !(await this.#acknowledge(find, claim)) ? null : stored
    } finally {
      this.#underWay.delete(claim)
    }
  }

  giveBack(claim: string): void {
    ask(this.#batches, 'giveBack', { claim, wait: '' }, { repeatable: true }).catch(() => {
      // Without a link, the next sync gives the claim back.
    })
  }

  async #conforms({ conforms }: Accepting, claim: string, stored: Stored): Promise<boolean> {
    try {
      return !conforms || (await conforms(stored))
    } catch (error) {
      if (claim) this.giveBack(claim)
      throw error
    }
  }

  /** Makes a take final, or part of its transaction. Returns false if the claim was lost. */
  async #acknowledge({ tx = '' }: Accepting, claim: string): Promise<boolean> {
    const named = { claim, transaction: tx }
    // Not repeatable: on a repetition, the space could not tell a take that is final already from a lost claim.
    const options = { repeatable: false, redoable: true }
    if (!tx) return (await ask(this.#batches, 'acknowledge', named, options)).kind === REPLY.done
    try {
      return (await this.#transactions.ask(tx, 'acknowledge', named, options)).kind === REPLY.done
    } catch (error) {
      // The transaction ended while the entry was on its way, so the acknowledgement may not have been sent.
      if (isSpaceError(error, 'TRANSACTION_ENDED')) this.giveBack(claim)
      throw error
    }
  }

  async #moveToDeadLetters(claim: string, id: string, reason: string): Promise<boolean> {
    const named = { id, reason: tokenOf(reason), claim }
    const { kind } = await ask(this.#batches, 'deadLetter', named, { repeatable: true })
    return kind === REPLY.done
  }

  /** Returns the entry with its body; null if a body under its own key is gone. */
  async #complete(parsed: Parsed): Promise<Stored | null> {
    if (!parsed.byReference) return parsed
    const body = await this.#bodies.get(this.#keys.body(parsed.id))
    return body && { ...parsed, body }
  }
}

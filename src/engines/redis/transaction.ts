/** Transactions of this process: the space hears of each with its first operation, in the same batch. */
import type { Grant } from '../../engine.js'
import { SpaceError } from '../../errors.js'
import { REPLY } from './protocol.js'
import { leaseText } from './record.js'
import { type AskOptions, ask, type Reply } from './wire/ask.js'
import type { Batches } from './wire/batches.js'
import type { Arguments, OperationName } from './wire/operation.js'

interface Open {
  readonly leaseMs: number
  readonly onEnded: () => void
  /** Whether the space has been told of it, and whether it has said that it heard. */
  told: boolean
  known: boolean
}

export class Transactions {
  readonly #presence: string
  readonly #batches: Batches
  readonly #open = new Map<string, Open>()
  /** Those whose commit is on its way, so that a link that comes back does not end them first. */
  readonly #committing = new Set<string>()
  #numbers = 0

  constructor(presence: string, batches: Batches) {
    this.#presence = presence
    this.#batches = batches
  }

  begin(leaseMs: number, onEnded: () => void): string {
    const number = (++this.#numbers).toString(36)
    this.#open.set(number, { leaseMs, onEnded, told: false, known: false })
    return `${this.#presence}.${number}`
  }

  /**
   * One operation under it. The space's lease begins with the first one, so no earlier than its owner counts from.
   * @throws SpaceError TRANSACTION_ENDED
   */
  async ask<N extends OperationName>(tx: string, name: N, named: Arguments<N>, options: AskOptions): Promise<Reply> {
    this.tell(tx)
    const answer = await ask(this.#batches, name, named, options)
    if (answer.kind === REPLY.transactionEnded) throw new SpaceError('TRANSACTION_ENDED')
    return answer
  }

  /** The space hears of it before the next operation. @throws SpaceError TRANSACTION_ENDED */
  tell(tx: string): void {
    const number = numberOf(tx)
    const open = this.#open.get(number)
    if (!open) throw new SpaceError('TRANSACTION_ENDED')
    if (open.told) return
    open.told = true
    this.#batches.add({
      name: 'begin',
      args: [number, leaseText(open.leaseMs)],
      repeatable: true,
      reply: () => {
        open.known = true
      },
      // The operation behind it fails as well, or finds that the space knows nothing of it.
      fail: () => {},
    })
  }

  async renew(tx: string, leaseMs: number): Promise<Grant> {
    const named = { transaction: tx, leaseMs: leaseText(leaseMs) }
    const { now } = await this.ask(tx, 'renewTransaction', named, { repeatable: true })
    return { expiresAt: now + leaseMs }
  }

  /** `entries`: what is written with it, packed as for `writeAll`. If there is no room for them the transaction is open still. */
  async commit(tx: string, entries: readonly (string | Buffer)[], noted: (code: Buffer) => SpaceError): Promise<void> {
    const open = this.#end(tx)
    if (!open) throw new SpaceError('TRANSACTION_ENDED')
    // Nothing was done under it.
    if (!open.told && entries[0] === '0') return
    const { kind, values } = await this.#commit(tx, open.told, entries)
    if (kind === REPLY.transactionEnded) throw new SpaceError('TRANSACTION_ENDED')
    if (kind === REPLY.failed) {
      this.#open.set(numberOf(tx), open)
      throw noted(values[0]!)
    }
  }

  async abort(tx: string): Promise<void> {
    if (this.#end(tx)?.told === false) return
    // Also after a commit of which nobody knows whether it came to pass: then this does nothing.
    await ask(this.#batches, 'abort', { transaction: tx }, { repeatable: true })
  }

  /** Whether the space has heard of it, because something was done under it. */
  isTold(tx: string): boolean {
    return this.#open.get(numberOf(tx))?.told === true
  }

  /** It is committed by another operation. */
  close(tx: string): void {
    this.#end(tx)
  }

  /** The space has ended it. */
  ended(number: string): void {
    const open = this.#open.get(number)
    this.#open.delete(number)
    open?.onEnded()
  }

  /** Those that the space must know of. */
  names(): string[] {
    const known = [...this.#open].filter(([, open]) => open.known).map(([number]) => `${this.#presence}.${number}`)
    return [...known, ...this.#committing]
  }

  async #commit(tx: string, isTold: boolean, entries: readonly (string | Buffer)[]): Promise<Reply> {
    this.#committing.add(tx)
    try {
      const options = { repeatable: false, entries: Number(entries[0]) }
      return await (isTold
        ? ask(this.#batches, 'commit', { transaction: tx, entries }, options)
        : ask(this.#batches, 'writeAll', { entries }, options))
    } finally {
      this.#committing.delete(tx)
    }
  }

  #end(tx: string): Open | undefined {
    const number = numberOf(tx)
    const open = this.#open.get(number)
    this.#open.delete(number)
    return open
  }
}

const numberOf = (tx: string): string => tx.slice(tx.indexOf('.') + 1)

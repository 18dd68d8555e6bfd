/** Transactions of this process: `begin` is sent with the first operation of a transaction, in the same batch. */
import type { Grant } from '../../engine.js'
import { SpaceError } from '../../errors.js'
import { REPLY } from './protocol.js'
import { leaseText } from './record.js'
import { type AskOptions, ask, type Reply } from './wire/ask.js'
import type { Batches } from './wire/batches.js'
import type { Arguments, OperationName } from './wire/operation.js'
import type { Argument } from './wire/resp.js'

interface Open {
  readonly leaseMs: number
  readonly onEnded: () => void
  /** `begin` has been sent; `known`: the space has confirmed it. */
  announced: boolean
  known: boolean
}

export class Transactions {
  readonly #presence: string
  readonly #batches: Batches
  readonly #open = new Map<string, Open>()
  /** Transactions whose commit is on its way: the sync of a new link must not end them first. */
  readonly #committing = new Set<string>()
  #numbers = 0

  constructor(presence: string, batches: Batches) {
    this.#presence = presence
    this.#batches = batches
  }

  begin(leaseMs: number, onEnded: () => void): string {
    const number = (++this.#numbers).toString(36)
    this.#open.set(number, { leaseMs, onEnded, announced: false, known: false })
    return `${this.#presence}.${number}`
  }

  /**
   * Asks for one operation under a transaction. The space's lease begins with the first operation, so no earlier than
   * the owner counts from.
   * @throws SpaceError TRANSACTION_ENDED
   */
  async ask<N extends OperationName>(tx: string, name: N, named: Arguments<N>, options: AskOptions): Promise<Reply> {
    this.announce(tx)
    const answer = await ask(this.#batches, name, named, options)
    if (answer.kind === REPLY.transactionEnded) throw new SpaceError('TRANSACTION_ENDED')
    return answer
  }

  /** Sends `begin` ahead of the next operation, once. @throws SpaceError TRANSACTION_ENDED */
  announce(tx: string): void {
    const number = numberOf(tx)
    const open = this.#open.get(number)
    if (!open) throw new SpaceError('TRANSACTION_ENDED')
    if (open.announced) return
    open.announced = true
    this.#batches.add({
      name: 'begin',
      args: [number, leaseText(open.leaseMs)],
      repeatable: true,
      reply: () => {
        open.known = true
      },
      // The operation behind it fails as well, or learns that the space does not know the transaction.
      fail: () => {},
    })
  }

  async renew(tx: string, leaseMs: number): Promise<Grant> {
    const named = { transaction: tx, leaseMs: leaseText(leaseMs) }
    const { now } = await this.ask(tx, 'renewTransaction', named, { repeatable: true })
    return { expiresAt: now + leaseMs }
  }

  /**
   * Commits a transaction, and writes `entries`, packed as for `writeAll`, with it. If the space has no room for them,
   * the transaction stays open.
   * @throws SpaceError TRANSACTION_ENDED, or the error that `noted` returns for the code of a refusal
   */
  async commit(tx: string, entries: readonly Argument[], noted: (code: Buffer) => SpaceError): Promise<void> {
    const open = this.#end(tx)
    if (!open) throw new SpaceError('TRANSACTION_ENDED')
    // No operation ran under the transaction.
    if (!open.announced && entries[0] === '0') return
    const { kind, values } = await this.#commit(tx, open.announced, entries)
    if (kind === REPLY.transactionEnded) throw new SpaceError('TRANSACTION_ENDED')
    if (kind === REPLY.failed) {
      this.#open.set(numberOf(tx), open)
      throw noted(values[0]!)
    }
    if (kind === REPLY.askAgain) await this.visible(tx)
  }

  /**
   * Runs the operation that ends a transaction for its owner, who asks for nothing under it from now on.
   * @throws SpaceError TRANSACTION_ENDED
   */
  async ending(tx: string, operation: () => Promise<Reply>): Promise<Reply> {
    this.announce(tx)
    this.#end(tx)
    this.#committing.add(tx)
    try {
      const answer = await operation()
      if (answer.kind === REPLY.transactionEnded) throw new SpaceError('TRANSACTION_ENDED')
      return answer
    } finally {
      this.#committing.delete(tx)
    }
  }

  async abort(tx: string): Promise<void> {
    if (this.#end(tx)?.announced === false) return
    // Also sent after a commit whose outcome is unknown; does nothing if the commit took effect.
    const { kind } = await ask(this.#batches, 'abort', { transaction: tx }, { repeatable: true })
    if (kind === REPLY.askAgain) await this.visible(tx)
  }

  /** Resolves when all effects of a large transaction are visible: its end is decided, and takes effect in slices. */
  async visible(tx: string): Promise<void> {
    try {
      for (let hasMore = true; hasMore; ) {
        const { kind } = await ask(this.#batches, 'awaitEnd', { transaction: tx }, { repeatable: true })
        hasMore = kind === REPLY.askAgain
      }
    } catch {
      // The space is away; other processes go on with the end.
    }
  }

  /** Returns whether `begin` has been sent, because an operation was requested under the transaction. */
  isAnnounced(tx: string): boolean {
    return this.#open.get(numberOf(tx))?.announced === true
  }

  /** Forgets a transaction that another operation has committed. */
  close(tx: string): void {
    this.#end(tx)
  }

  /** Handles the end of a transaction by the space. */
  ended(number: string): void {
    const open = this.#open.get(number)
    this.#open.delete(number)
    open?.onEnded()
  }

  /** Returns the transactions that the space must know. */
  names(): string[] {
    const known = [...this.#open].filter(([, open]) => open.known).map(([number]) => `${this.#presence}.${number}`)
    return [...known, ...this.#committing]
  }

  async #commit(tx: string, isAnnounced: boolean, entries: readonly Argument[]): Promise<Reply> {
    this.#committing.add(tx)
    try {
      const options = { repeatable: false, redoable: true, entries: Number(entries[0]) }
      return await (isAnnounced
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

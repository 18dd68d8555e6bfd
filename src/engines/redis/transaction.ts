/** Transactions of this process: the space hears of each with its first operation, in the same batch. */
import type { Grant } from '../../engine.js'
import { SpaceError } from '../../errors.js'
import { type Answer, type AskOptions, ask } from './wire/ask.js'
import type { Batches } from './wire/batches.js'

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
  async ask(tx: string, args: readonly (string | Buffer)[], options: AskOptions): Promise<Answer> {
    this.tell(tx)
    const answer = await ask(this.#batches, args, options)
    if (answer.letter === 'T') throw new SpaceError('TRANSACTION_ENDED')
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
      args: ['B', number, String(Math.ceil(open.leaseMs))],
      repeatable: true,
      answer: () => {
        open.known = true
      },
      // The operation behind it fails as well, or finds that the space knows nothing of it.
      fail: () => {},
    })
  }

  async renew(tx: string, leaseMs: number): Promise<Grant> {
    const { now } = await this.ask(tx, ['L', tx, String(Math.ceil(leaseMs))], { repeatable: true })
    return { expiresAt: now + leaseMs }
  }

  /** `entries`: what is written with it, as of `w`: how many, then these. One that has no room for them is open still. */
  async commit(tx: string, entries: readonly (string | Buffer)[], noted: (code: Buffer) => SpaceError): Promise<void> {
    const open = this.#end(tx)
    if (!open) throw new SpaceError('TRANSACTION_ENDED')
    // Nothing was done under it.
    if (!open.told && entries[0] === '0') return
    const args = open.told ? ['C', tx, ...entries] : ['w', ...entries]
    const { letter, values } = await this.#commit(tx, args, Number(entries[0]))
    if (letter === 'T') throw new SpaceError('TRANSACTION_ENDED')
    if (letter === 'e') {
      this.#open.set(numberOf(tx), open)
      throw noted(values[0]!)
    }
  }

  async abort(tx: string): Promise<void> {
    if (this.#end(tx)?.told === false) return
    // Also after a commit of which nobody knows whether it came to pass: then this does nothing.
    await ask(this.#batches, ['A', tx], { repeatable: true })
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

  async #commit(tx: string, args: readonly (string | Buffer)[], entries: number): Promise<Answer> {
    this.#committing.add(tx)
    try {
      return await ask(this.#batches, args, { repeatable: false, entries })
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

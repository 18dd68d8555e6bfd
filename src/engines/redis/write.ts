/** Writes: stores large bodies first, then writes the entries. */
import { monotonicMs } from '../../clock.js'
import { type EncodedEntry, type Grant, OWN_KINDS } from '../../engine.js'
import { type ErrorCode, isSpaceError, SpaceError } from '../../errors.js'
import type { Keys } from './keys.js'
import { REPLY } from './protocol.js'
import { entryArguments } from './record.js'
import type { Transactions } from './transaction.js'
import { ask } from './wire/ask.js'
import type { Batches } from './wire/batches.js'
import { Bodies } from './wire/bodies.js'

/** The space counts as full for this long after a refused write; then a process without traffic tries again. */
const FULL_MS = 3_000

type Argument = string | Buffer

export class Writes {
  readonly #presence: string
  readonly #batches: Batches
  readonly #bodies: Bodies
  readonly #keys: Keys
  readonly #transactions: Transactions
  /** Roots that this process has announced, each with the fields that are indexed there. */
  readonly #roots = new Set<string>()
  #refusedAt = Number.NEGATIVE_INFINITY

  constructor(presence: string, batches: Batches, bodies: Bodies, keys: Keys, transactions: Transactions) {
    this.#transactions = transactions
    this.#presence = presence
    this.#batches = batches
    this.#bodies = bodies
    this.#keys = keys
  }

  async write(entries: readonly EncodedEntry[], tx?: string): Promise<Grant[]> {
    const options = { repeatable: false, entries: entries.length }
    try {
      // Without large bodies nothing is awaited first, so operations of one turn keep their order.
      if (hasLarge(entries)) await this.putBodies(entries)
      const { kind, values, now } = await (tx === undefined
        ? ask(this.#batches, 'writeAll', { entries: this.#packed(entries) }, options)
        : this.#transactions.ask(tx, 'writeUnder', { transaction: tx, entries: this.#packed(entries) }, options))
      if (kind === REPLY.failed) throw this.noted(values[0]!)
      return entries.map(({ leaseMs }) => ({ expiresAt: now + leaseMs }))
    } catch (error) {
      this.failed(entries, error)
      throw error
    }
  }

  /**
   * Returns entries as operations have them, once their large bodies are stored. `presence`: the requester of the
   * requests among them.
   */
  async effects(entries: readonly EncodedEntry[], presence = this.#presence): Promise<Argument[]> {
    if (hasLarge(entries)) await this.putBodies(entries)
    return this.#packed(entries, presence)
  }

  /** Returns header, id and body. */
  argumentsOf(entry: EncodedEntry, presence = this.#presence): Argument[] {
    return entryArguments(entry, presence)
  }

  /** Stores the large bodies of entries that are about to be written. */
  async putBodies(entries: readonly EncodedEntry[]): Promise<void> {
    try {
      for (const { id, body, leaseMs } of entries) {
        // An entry whose lease is 0 is not stored.
        if (Bodies.isLarge(body) && leaseMs !== 0) await this.#bodies.put(this.#keys.body(id), body)
      }
    } catch (error) {
      if (isSpaceError(error, 'SPACE_FULL')) this.#refusedAt = monotonicMs()
      this.failed(entries, error)
      throw error
    }
  }

  /** Forgets announcements: the server may have lost its data. */
  askAnew(): void {
    this.#roots.clear()
  }

  /** The space refused a write within the last FULL_MS because it is full. */
  get isFull(): boolean {
    return monotonicMs() - this.#refusedAt < FULL_MS
  }

  /** Returns the error of a code from the space. After SPACE_FULL the space counts as full for a while. */
  noted(code: Buffer): SpaceError {
    const error = new SpaceError(code.toString('latin1') as ErrorCode)
    if (error.code === 'SPACE_FULL') this.#refusedAt = monotonicMs()
    return error
  }

  /** Drops the large bodies of entries if the error rules out that the entries were written. */
  failed(entries: readonly EncodedEntry[], error: unknown): void {
    if (isSpaceError(error, 'TRANSACTION_ENDED') || isSpaceError(error, 'SPACE_FULL')) this.refused(entries)
  }

  /** Drops the large bodies of entries that were not written. */
  refused(entries: readonly EncodedEntry[]): void {
    for (const { id, body } of entries) if (Bodies.isLarge(body)) this.#bodies.drop(this.#keys.body(id))
  }

  #packed(entries: readonly EncodedEntry[], presence = this.#presence): Argument[] {
    this.#announce(entries)
    const args: Argument[] = [String(entries.length)]
    for (const entry of entries) args.push(...this.argumentsOf(entry, presence))
    return args
  }

  /** Announces roots and the fields indexed there: a search can use only fields that all writers of a root index. */
  #announce(entries: readonly EncodedEntry[]): void {
    for (const { kinds, index = '*' } of entries) {
      const root = kinds[kinds.length - 1]!
      const known = `${root} ${index}`
      // AnyEntry does not match the framework's own kinds.
      if (root.startsWith(OWN_KINDS) || this.#roots.has(known)) continue
      this.#roots.add(known)
      this.#batches.add({
        name: 'announceKind',
        args: [root, index],
        repeatable: true,
        reply: () => {},
        fail: () => this.#roots.delete(known),
      })
    }
  }
}

const hasLarge = (entries: readonly EncodedEntry[]): boolean => entries.some(({ body }) => Bodies.isLarge(body))

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
import type { OperationName } from './wire/operation.js'
import type { Argument } from './wire/resp.js'

/** The space counts as full for this long after a refused write; then a process without traffic tries again. */
const FULL_MS = 3_000

/** More entries are written in several operations of PIECE entries: 1,000 in one hold the server for about 25 ms. */
const LARGEST_WRITE = 1_000
const PIECE = 250
/** Longer than the largest write takes. If this process dies before, the space aborts it at once. */
const PIECES_LEASE_MS = 60_000

export class Writes {
  readonly #presence: string
  readonly #batches: Batches
  readonly #bodies: Bodies
  readonly #keys: Keys
  readonly #transactions: Transactions
  /** What this process has announced: roots with the fields that are indexed there, kinds with the field that is their key. */
  readonly #announced = new Set<string>()
  #refusedAt = Number.NEGATIVE_INFINITY

  constructor(presence: string, batches: Batches, bodies: Bodies, keys: Keys, transactions: Transactions) {
    this.#transactions = transactions
    this.#presence = presence
    this.#batches = batches
    this.#bodies = bodies
    this.#keys = keys
  }

  async write(entries: readonly EncodedEntry[], tx?: string): Promise<Grant[]> {
    try {
      // Without large bodies nothing is awaited first, so operations of one turn keep their order.
      if (hasLarge(entries)) await this.putBodies(entries)
      return await (entries.length > LARGEST_WRITE ? this.#writeInPieces(entries, tx) : this.#write(entries, tx))
    } catch (error) {
      this.failed(entries, error)
      throw error
    }
  }

  async #write(entries: readonly EncodedEntry[], tx?: string): Promise<Grant[]> {
    const options = { repeatable: false, redoable: true, entries: entries.length }
    const { kind, values, now } = await (tx === undefined
      ? ask(this.#batches, 'writeAll', { entries: this.#packed(entries) }, options)
      : this.#transactions.ask(tx, 'writeUnder', { transaction: tx, entries: this.#packed(entries) }, options))
    if (kind === REPLY.failed) throw this.noted(values[0]!)
    return entries.map(({ leaseMs }) => ({ expiresAt: now + leaseMs }))
  }

  /**
   * Writes all or none in several operations, so that none holds the server for long: under a transaction, which has an
   * end of its own if none was given.
   */
  async #writeInPieces(entries: readonly EncodedEntry[], given: string | undefined): Promise<Grant[]> {
    const tx = given ?? this.#transactions.begin(PIECES_LEASE_MS, () => {})
    try {
      const pieces: Promise<Grant[]>[] = []
      for (let from = 0; from < entries.length; from += PIECE) {
        pieces.push(this.#write(entries.slice(from, from + PIECE), tx))
      }
      const settled = await Promise.allSettled(pieces)
      const failed = settled.find((piece) => piece.status === 'rejected')
      if (failed) throw failed.reason
      if (given === undefined) await this.#transactions.commit(tx, ['0'], (code) => this.noted(code))
      return settled.flatMap((piece) => (piece.status === 'fulfilled' ? piece.value : []))
    } catch (error) {
      if (given === undefined) await this.#transactions.abort(tx).catch(() => {})
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
    this.#announced.clear()
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
    this.announce(entries)
    const args: Argument[] = [String(entries.length)]
    for (const entry of entries) args.push(...this.argumentsOf(entry, presence))
    return args
  }

  /** Announces roots and the fields indexed there: a search can use only fields that all writers of a root index. */
  announce(entries: readonly Pick<EncodedEntry, 'kinds' | 'index' | 'partitionField'>[]): void {
    for (const { kinds, index = '*', partitionField } of entries) {
      if (partitionField !== undefined) this.#announceKey(kinds[0]!, partitionField)
      const root = kinds[kinds.length - 1]!
      const known = `${root} ${index}`
      // AnyEntry does not match the framework's own kinds.
      if (root.startsWith(OWN_KINDS) || this.#announced.has(known)) continue
      this.#announceOnce(known, 'announceKind', [root, index])
    }
  }

  /** A record does not say which of its fields decides its partition, and the space may move to other partitions. */
  #announceKey(kind: string, field: string): void {
    const known = `${kind}=${field}`
    if (!this.#announced.has(known)) this.#announceOnce(known, 'announceKey', [kind, field])
  }

  #announceOnce(known: string, name: OperationName, args: Argument[]): void {
    this.#announced.add(known)
    this.#batches.add({ name, args, repeatable: true, reply: () => {}, fail: () => this.#announced.delete(known) })
  }
}

const hasLarge = (entries: readonly EncodedEntry[]): boolean => entries.some(({ body }) => Bodies.isLarge(body))

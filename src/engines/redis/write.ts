/** Writes and requests: entries into the space, and the outcomes of requests back to whoever wrote them. */
import { monotonicMs } from '../../clock.js'
import { type EncodedEntry, type Grant, type Outcome, OWN_KINDS } from '../../engine.js'
import { type ErrorCode, isSpaceError, SpaceError } from '../../errors.js'
import type { Keys } from './keys.js'
import { OUTCOME, REPLY, SIGN } from './protocol.js'
import { leaseText, sharedHeaderOf } from './record.js'
import type { Transactions } from './transaction.js'
import { ask, type Reply } from './wire/ask.js'
import type { Batches } from './wire/batches.js'
import { Bodies } from './wire/bodies.js'
import type { Operation } from './wire/operation.js'

const EMPTY = Buffer.alloc(0)

const COMPLETED = OUTCOME.completed.charCodeAt(0)
const COMPLETED_BY_REFERENCE = OUTCOME.completedByReference.charCodeAt(0)
const LOST = OUTCOME.lost.charCodeAt(0)
const RESPONSE_STARTED = OUTCOME.responseStarted.charCodeAt(0)

/** So many arrived outcomes are reported at once even if nothing else has to be said. */
const MOST_UNREPORTED = 64

/** So long a refused write counts: whoever gets no traffic because of it has to be tried again. */
const FULL_MS = 3_000

interface Requester {
  onOutcome: ((outcome: Outcome) => void) | undefined
  /** On the monotonic clock, ms; Infinity once its holder goes on for as long as it needs. */
  endsAt: number
}

export class Writes {
  readonly #presence: string
  readonly #batches: Batches
  readonly #bodies: Bodies
  readonly #keys: Keys
  readonly #transactions: Transactions
  /** Each in a holder that is emptied when it leaves: see src/runtime/in-flight.ts for what a Map would keep of it otherwise. */
  readonly #requests = new Map<string, Requester>()
  /** Outcomes that have arrived; the space keeps them until it hears so. */
  #arrived: string[] = []
  /** Roots that this process has told the space of, each with what is indexed there. */
  readonly #roots = new Set<string>()

  /** Large outcomes that are under way, by their claims. */
  readonly #fetching = new Set<string>()
  #refusedAt = Number.NEGATIVE_INFINITY
  /** Whether such a question was not answered. */
  #inDoubt = false

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
      for (const entry of entries) if (Bodies.isLarge(entry.body)) await this.#putBody(entry)
      const answer = await (tx === undefined
        ? ask(this.#batches, 'writeAll', { entries: this.#packed(entries) }, options)
        : this.#transactions.ask(tx, 'writeUnder', { transaction: tx, entries: this.#packed(entries) }, options))
      this.#refuseErrors(answer)
      return entries.map(({ leaseMs }) => ({ expiresAt: answer.now + leaseMs }))
    } catch (error) {
      this.failed(entries, error)
      throw error
    }
  }

  async request(entry: EncodedEntry, onOutcome: (outcome: Outcome) => void): Promise<void> {
    if (Bodies.isLarge(entry.body)) await this.#putBody(entry)
    this.#requests.set(entry.id, { onOutcome, endsAt: monotonicMs() + entry.leaseMs })
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void => {
        this.failed([entry], error)
        // Its outcome may have overtaken the news that the write was lost.
        if (this.#forget(entry.id)) reject(error)
      }
      this.#batches.add({
        name: 'write',
        args: [sharedHeaderOf(entry, this.#presence), entry.id, inline(entry.body)],
        repeatable: entry.request!.repeatable,
        reply: (kind, values, now) => {
          if (kind === REPLY.done) return resolve()
          try {
            this.#refuseErrors({ kind, values, now })
          } catch (error) {
            fail(error)
          }
        },
        fail,
      })
    })
  }

  async withdraw(id: string): Promise<void> {
    this.#forget(id)
    await ask(this.#batches, 'cancel', { id }, { repeatable: true })
  }

  /** An outcome has come: `h` of one that is begun, the claim and the process that holds it; `c` and a body, `C` for a body with a key of its own, `l` lost, `x` exhausted. */
  outcome(id: string, bytes: Buffer): void {
    const kind = bytes[0]
    if (kind === RESPONSE_STARTED) return this.#begun(id, bytes.toString('latin1', 1))
    if (kind === COMPLETED_BY_REFERENCE) {
      const claim = bytes.toString('latin1', 1)
      // Told again after a reconnect: it has not arrived before it is here.
      if (!this.#fetching.has(claim)) void this.#fetch(id, claim, this.#requests.get(id))
      return
    }
    const onOutcome = this.#forget(id)
    this.#arrive(id)
    if (kind === COMPLETED) onOutcome?.({ kind: 'completed', body: bytes.subarray(1) })
    else onOutcome?.({ kind: kind === LOST ? 'lost' : 'exhausted' })
  }

  /** What comes after it takes its place, so it is not reported as arrived; it may be told twice. */
  #begun(id: string, told: string): void {
    const requester = this.#requests.get(id)
    if (!requester) return
    const [claim, holder] = told.split(' ') as [string, string]
    requester.endsAt = Number.POSITIVE_INFINITY
    requester.onOutcome?.({ kind: 'responseStarted', claim, holder })
  }

  /** Its holder reads it bit by bit, for as long as that takes. */
  lasts(id: string): void {
    const requester = this.#requests.get(id)
    if (requester) requester.endsAt = Number.POSITIVE_INFINITY
  }

  /** What has arrived, as an operation that travels with the next batch. */
  arrivals(): Operation | undefined {
    if (this.#arrived.length === 0) return undefined
    const ids = this.#arrived
    this.#arrived = []
    return {
      name: 'outcomesArrived',
      args: [ids.join(' ')],
      repeatable: true,
      reply: () => {},
      // Told again by the next sync, and then reported again.
      fail: () => {},
    }
  }

  /** The server may have forgotten all of it. */
  askAnew(afresh: boolean): void {
    this.#roots.clear()
    if (afresh || this.#inDoubt) this.#askForAll()
  }

  /**
   * Requests whose outcomes may have been told to nobody. One that is still in the space has its outcome to come: asked by a renewal that
   * leaves its end where it was. Of one that is gone an outcome that could be told has come before this answer.
   */
  #askForAll(): void {
    this.#inDoubt = false
    for (const [id, { endsAt }] of this.#requests) {
      const remainingMs = Math.ceil(endsAt - monotonicMs())
      // Its deadline will have it.
      if (remainingMs <= 0) continue
      this.#batches.add({
        name: 'renew',
        args: [id, leaseText(remainingMs)],
        repeatable: true,
        reply: (kind) => {
          if (kind === REPLY.none) this.#forget(id)?.({ kind: 'unknown', remainingMs })
        },
        fail: () => {
          this.#inDoubt = true
        },
      })
    }
  }

  #forget(id: string): ((outcome: Outcome) => void) | undefined {
    const requester = this.#requests.get(id)
    if (!requester) return undefined
    const { onOutcome } = requester
    requester.onOutcome = undefined
    this.#requests.delete(id)
    return onOutcome
  }

  async #fetch(id: string, claim: string, requester: Requester | undefined): Promise<void> {
    const onOutcome = this.#forget(id)
    let body: Buffer | null = null
    this.#fetching.add(claim)
    try {
      if (onOutcome) body = await this.#bodies.get(this.#keys.outcomeBody(claim))
    } catch {
      // The link is down. The outcome is told again by the next sync, so it stays unreported and its listener stays in place.
      if (requester && onOutcome) this.#requests.set(id, { ...requester, onOutcome })
      return
    } finally {
      this.#fetching.delete(claim)
    }
    this.#arrive(SIGN.reference + claim)
    if (body) onOutcome?.({ kind: 'completed', body })
    // It went with the presence, when this process was taken for dead.
    else if (requester)
      onOutcome?.({ kind: 'unknown', remainingMs: Math.max(Math.ceil(requester.endsAt - monotonicMs()), 1) })
  }

  /** Says now what has arrived, in a batch of its own if need be. */
  report(): void {
    const operation = this.arrivals()
    if (operation) this.#batches.add(operation)
  }

  /** Whether the space has just refused a write because it is full. */
  get isFull(): boolean {
    return monotonicMs() - this.#refusedAt < FULL_MS
  }

  /** The error that the space names; a space that is full is known as such for a while. */
  noted(code: Buffer): SpaceError {
    const error = new SpaceError(code.toString('latin1') as ErrorCode)
    if (error.code === 'SPACE_FULL') this.#refusedAt = monotonicMs()
    return error
  }

  /** Whether they were surely not written is the error's to say. */
  failed(entries: readonly EncodedEntry[], error: unknown): void {
    if (isSpaceError(error, 'TRANSACTION_ENDED') || isSpaceError(error, 'SPACE_FULL')) this.refused(entries)
  }

  #refuseErrors({ kind, values }: Reply): void {
    if (kind !== REPLY.failed) return
    throw this.noted(values[0]!)
  }

  #arrive(id: string): void {
    this.#arrived.push(id)
    if (this.#arrived.length >= MOST_UNREPORTED) this.report()
  }

  async #putBody({ id, body, leaseMs }: EncodedEntry): Promise<void> {
    // Of what is dead on arrival nothing is stored.
    if (!Bodies.isLarge(body) || leaseMs === 0) return
    try {
      await this.#bodies.put(this.#keys.body(id), body)
    } catch (error) {
      if (isSpaceError(error, 'SPACE_FULL')) this.#refusedAt = monotonicMs()
      throw error
    }
  }

  /** These were surely not written: nothing of them is to stay. */
  refused(entries: readonly EncodedEntry[]): void {
    for (const { id, body } of entries) if (Bodies.isLarge(body)) this.#bodies.drop(this.#keys.body(id))
  }

  /** Written along with a completion; their large bodies go first. */
  async effects(entries: readonly EncodedEntry[], presence = this.#presence): Promise<(string | Buffer)[]> {
    try {
      for (const entry of entries) if (Bodies.isLarge(entry.body)) await this.#putBody(entry)
    } catch (error) {
      this.failed(entries, error)
      throw error
    }
    return this.#packed(entries, presence)
  }

  #packed(entries: readonly EncodedEntry[], presence = this.#presence): (string | Buffer)[] {
    this.#announce(entries)
    const args: (string | Buffer)[] = [String(entries.length)]
    for (const entry of entries) args.push(sharedHeaderOf(entry, presence), entry.id, inline(entry.body))
    return args
  }

  /** A search goes by what everybody indexes under a root; AnyEntry looks under the roots that were announced. */
  #announce(entries: readonly EncodedEntry[]): void {
    for (const { kinds, index = '*' } of entries) {
      const root = kinds[kinds.length - 1]!
      const known = `${root} ${index}`
      // AnyEntry does not look for the framework's own kinds.
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

const inline = (body: Buffer): Buffer => (Bodies.isLarge(body) ? EMPTY : body)

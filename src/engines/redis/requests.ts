/** Requests that this process has written and whose outcomes it awaits. */
import { monotonicMs } from '../../clock.js'
import type { EncodedEntry, Outcome } from '../../engine.js'
import type { Keys } from './keys.js'
import { OUTCOME, REPLY, SIGN } from './protocol.js'
import { leaseText } from './record.js'
import { ask } from './wire/ask.js'
import type { Batches } from './wire/batches.js'
import { Bodies } from './wire/bodies.js'
import type { Operation } from './wire/operation.js'
import type { Writes } from './write.js'

const COMPLETED = OUTCOME.completed.charCodeAt(0)
const COMPLETED_BY_REFERENCE = OUTCOME.completedByReference.charCodeAt(0)
const LOST = OUTCOME.lost.charCodeAt(0)
const RESPONSE_STARTED = OUTCOME.responseStarted.charCodeAt(0)

/** If this many outcomes are unreported, they are reported at once, in a batch of their own if necessary. */
const MOST_UNREPORTED = 64

interface Requester {
  onOutcome: ((outcome: Outcome) => void) | undefined
  /** When the wait ends, ms on the monotonic clock; Infinity once the holder streams. */
  endsAt: number
}

export class Requests {
  readonly #batches: Batches
  readonly #bodies: Bodies
  readonly #keys: Keys
  readonly #writes: Writes
  /** The listener of a removed request is cleared: a Map may keep removed values alive (src/runtime/in-flight.ts). */
  readonly #requesters = new Map<string, Requester>()
  /** Ids of outcomes that have arrived. The space keeps the outcomes until these are reported. */
  #arrived: string[] = []
  /** Claims of large outcomes that are being fetched. */
  readonly #fetching = new Set<string>()
  /** A renewal that checks on a request has failed and must be repeated. */
  #mustAskAgain = false

  constructor(batches: Batches, bodies: Bodies, keys: Keys, writes: Writes) {
    this.#batches = batches
    this.#bodies = bodies
    this.#keys = keys
    this.#writes = writes
  }

  /** Resolves when the request is in the space. */
  write(entry: EncodedEntry, onOutcome: (outcome: Outcome) => void): Promise<void> {
    if (!Bodies.isLarge(entry.body)) return this.#write(entry, onOutcome)
    return this.#writes.putBodies([entry]).then(() => this.#write(entry, onOutcome))
  }

  #write(entry: EncodedEntry, onOutcome: (outcome: Outcome) => void): Promise<void> {
    this.#requesters.set(entry.id, { onOutcome, endsAt: monotonicMs() + entry.leaseMs })
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void => {
        this.#writes.failed([entry], error)
        // The outcome may arrive before the failure of its write is known.
        if (this.#forget(entry.id)) reject(error)
      }
      this.#batches.add({
        name: 'write',
        args: this.#writes.argumentsOf(entry),
        repeatable: entry.request!.repeatable,
        again: 'writeAgain',
        reply: (kind, values) => {
          if (kind === REPLY.done) resolve()
          else fail(this.#writes.noted(values[0]!))
        },
        fail,
      })
    })
  }

  async withdraw(id: string): Promise<void> {
    this.#forget(id)
    await ask(this.#batches, 'cancel', { id }, { repeatable: true })
  }

  /** Stops timing this request out: its holder streams. */
  awaitIndefinitely(id: string): void {
    const requester = this.#requesters.get(id)
    if (requester) requester.endsAt = Number.POSITIVE_INFINITY
  }

  /** Handles an outcome (OUTCOME in protocol.ts). Its bytes go on with a body, a claim, or a claim and its holder. */
  outcome(id: string, bytes: Buffer): void {
    const kind = bytes[0]
    if (kind === RESPONSE_STARTED) return this.#responseStarted(id, bytes.toString('latin1', 1))
    if (kind === COMPLETED_BY_REFERENCE) {
      const claim = bytes.toString('latin1', 1)
      // After a reconnect the outcome is pushed again; it counts as arrived only when its body is here.
      if (!this.#fetching.has(claim)) void this.#fetch(id, claim, this.#requesters.get(id))
      return
    }
    const onOutcome = this.#forget(id)
    this.#arrive(id)
    if (kind === COMPLETED) onOutcome?.({ kind: 'completed', body: bytes.subarray(1) })
    else onOutcome?.({ kind: kind === LOST ? 'lost' : 'exhausted' })
  }

  /** Too few replicas know of the outcome in time. The space keeps it. */
  unconfirmed(id: string, bytes: Buffer): void {
    if (bytes[0] !== RESPONSE_STARTED) this.#forget(id)?.({ kind: 'unconfirmed' })
  }

  /** Returns the operation that reports arrived outcomes with the next batch; undefined if there are none. */
  arrivals(): Operation | undefined {
    if (this.#arrived.length === 0) return undefined
    const ids = this.#arrived
    this.#arrived = []
    return {
      name: 'outcomesArrived',
      args: [ids.join(' ')],
      repeatable: true,
      reply: () => {},
      // The next sync pushes these outcomes again, and they are reported again.
      fail: () => {},
    }
  }

  /** Reports arrived outcomes, in a batch of their own if necessary. */
  report(): void {
    const operation = this.arrivals()
    if (operation) this.#batches.add(operation)
  }

  /**
   * Checks on requests whose outcomes may not have been pushed, by a renewal that leaves their end where it was. If a
   * request is in the space, its outcome is still to come. If it is gone, an outcome that could be pushed has come
   * before this reply. `afresh`: the presence is new.
   */
  askAnew(afresh: boolean): void {
    if (!afresh && !this.#mustAskAgain) return
    this.#mustAskAgain = false
    for (const [id, { endsAt }] of this.#requesters) {
      const remainingMs = Math.ceil(endsAt - monotonicMs())
      // The deadline is about to end this request.
      if (remainingMs <= 0) continue
      this.#batches.add({
        name: 'renew',
        args: [id, leaseText(remainingMs)],
        repeatable: true,
        reply: (kind) => {
          if (kind === REPLY.none) this.#forget(id)?.({ kind: 'unknown', remainingMs })
        },
        fail: () => {
          this.#mustAskAgain = true
        },
      })
    }
  }

  /**
   * Reports that the response has started; may be pushed twice. Not counted as arrived: the final outcome replaces it.
   */
  #responseStarted(id: string, words: string): void {
    const requester = this.#requesters.get(id)
    if (!requester) return
    const [claim, holder] = words.split(' ') as [string, string]
    requester.endsAt = Number.POSITIVE_INFINITY
    requester.onOutcome?.({ kind: 'responseStarted', claim, holder })
  }

  #forget(id: string): ((outcome: Outcome) => void) | undefined {
    const requester = this.#requesters.get(id)
    if (!requester) return undefined
    const { onOutcome } = requester
    requester.onOutcome = undefined
    this.#requesters.delete(id)
    return onOutcome
  }

  async #fetch(id: string, claim: string, requester: Requester | undefined): Promise<void> {
    const onOutcome = this.#forget(id)
    let body: Buffer | null = null
    this.#fetching.add(claim)
    try {
      if (onOutcome) body = await this.#bodies.get(this.#keys.outcomeBody(claim))
    } catch {
      // The link is down. The next sync pushes the outcome again, so it stays unreported and keeps its listener.
      if (requester && onOutcome) this.#requesters.set(id, { ...requester, onOutcome })
      return
    } finally {
      this.#fetching.delete(claim)
    }
    this.#arrive(SIGN.reference + claim)
    if (body) onOutcome?.({ kind: 'completed', body })
    // The body was dropped with the presence when the space took this process for dead.
    else if (requester)
      onOutcome?.({ kind: 'unknown', remainingMs: Math.max(Math.ceil(requester.endsAt - monotonicMs()), 1) })
  }

  #arrive(id: string): void {
    this.#arrived.push(id)
    if (this.#arrived.length >= MOST_UNREPORTED) this.report()
  }
}

/** Registrations of this process: the way of their events, and what is missed when a link is lost. */
import { monotonicMs } from '../../clock.js'
import type { Grant, Interest, Registered, Stored } from '../../engine.js'
import { SpaceError } from '../../errors.js'
import type { Keys } from './keys.js'
import { REPLY, TRANSITION, WAIT } from './protocol.js'
import { leaseText, packedTemplate, parseRecord } from './record.js'
import type { Transactions } from './transaction.js'
import { ask } from './wire/ask.js'
import type { Batches } from './wire/batches.js'
import type { Bodies } from './wire/bodies.js'

interface Standing {
  readonly wid: string
  readonly interest: Interest
  /** When its lease ends, on this process's clock and no later than the space's; Infinity = never. */
  endsAt: number
  /** The number of the last event that came, or of which it is known that it does not come. */
  last: number
  /** The space has it. */
  registered: boolean
  /** What has come is told in its order, though some of it has to be fetched. */
  told: Promise<void>
}

export class Registrations {
  readonly #batches: Batches
  readonly #bodies: Bodies
  readonly #keys: Keys
  readonly #transactions: Transactions
  readonly #standing = new Map<string, Standing>()
  #wids = 0

  constructor(batches: Batches, bodies: Bodies, keys: Keys, transactions: Transactions) {
    this.#batches = batches
    this.#bodies = bodies
    this.#keys = keys
    this.#transactions = transactions
  }

  async notify(interest: Interest): Promise<Registered> {
    const { tx, on, leaseMs } = interest
    const kind = tx === undefined ? WAIT.registration : WAIT.registrationUnder
    const wid = `${kind}${TRANSITION[on]}${(++this.#wids).toString(36)}`
    const endsAt = monotonicMs() + leaseMs
    const standing: Standing = { wid, interest, endsAt, last: 0, registered: false, told: Promise.resolve() }
    this.#standing.set(wid, standing)
    try {
      const { expiresAt } = await this.#register(standing)
      return { id: wid, sequence: 0, expiresAt }
    } catch (error) {
      this.#standing.delete(wid)
      throw error
    }
  }

  has(wid: string): boolean {
    return this.#standing.has(wid)
  }

  async renew(wid: string, leaseMs: number): Promise<Grant | null> {
    const endsAt = monotonicMs() + leaseMs
    const named = { registration: wid, leaseMs: leaseText(leaseMs) }
    const { kind, now } = await ask(this.#batches, 'renewRegistration', named, { repeatable: true })
    const standing = this.#standing.get(wid)
    if (kind !== REPLY.done) return null
    if (standing) standing.endsAt = endsAt
    return { expiresAt: now + leaseMs }
  }

  async cancel(wid: string): Promise<boolean> {
    this.#standing.delete(wid)
    const { kind } = await ask(this.#batches, 'endRegistration', { registration: wid }, { repeatable: true })
    return kind === REPLY.done
  }

  /** An event: `words` are the entry's id and the number. */
  event(wid: string, words: string, record: Buffer, now: number): void {
    const standing = this.#standing.get(wid)
    if (!standing) return
    const [id, text] = words.split(' ') as [string, string]
    const number = Number(text)
    if (number > standing.last + 1) this.#missed(standing, number - standing.last - 1, number - 1)
    standing.last = number
    const parsed = parseRecord(id, record, now)
    const { interest } = standing
    if (!parsed.byReference) {
      standing.told = standing.told.then(() => interest.onEvent(parsed, number))
      return
    }
    const fetched = this.#bodies.get(this.#keys.body(id)).catch(() => null)
    standing.told = standing.told.then(async () => {
      const body = await fetched
      const entry: Stored | null = body && { ...parsed, body }
      // Taken before its body could be fetched: of such an event it is only known that there was one.
      if (entry) interest.onEvent(entry, number)
      else interest.onMissed(1, number)
    })
  }

  /** The space has ended it. */
  ended(wid: string): void {
    const standing = this.#standing.get(wid)
    this.#standing.delete(wid)
    standing?.interest.onEnded()
  }

  /** After a reconnect: what was missed is told; what the space has forgotten is registered again. */
  askAnew(): void {
    for (const standing of this.#standing.values()) if (standing.registered) void this.#catchUp(standing)
  }

  async #catchUp(standing: Standing): Promise<void> {
    const { wid } = standing
    try {
      const options = { repeatable: true, standing: true }
      const { kind, values } = await ask(this.#batches, 'lastEvent', { registration: wid }, options)
      if (kind === REPLY.number) {
        const last = Number(values[0]!.toString('latin1'))
        if (last > standing.last) this.#missed(standing, last - standing.last, last)
        standing.last = Math.max(last, standing.last)
      } else if (standing.interest.tx !== undefined || monotonicMs() >= standing.endsAt) {
        this.ended(wid)
      } else {
        // How many there were meanwhile nobody knows.
        standing.last++
        this.#missed(standing, Number.POSITIVE_INFINITY, standing.last)
        await this.#register(standing)
      }
    } catch {
      // The link is gone again; so it goes on the next one.
    }
  }

  #missed(standing: Standing, count: number, number: number): void {
    standing.told = standing.told.then(() => standing.interest.onMissed(count, number))
  }

  async #register(standing: Standing): Promise<Grant> {
    const { wid, interest, endsAt, last } = standing
    const leaseMs = Math.ceil(Math.max(endsAt - monotonicMs(), 0))
    const { tx = '', templates } = interest
    const named = {
      registration: wid,
      sequence: String(last),
      leaseMs: leaseText(leaseMs),
      transaction: tx,
      templates: templates.map(packedTemplate).join('\n'),
    }
    if (tx) this.#transactions.tell(tx)
    const { kind, now } = await ask(this.#batches, 'notify', named, { repeatable: true })
    if (kind === REPLY.transactionEnded) throw new SpaceError('TRANSACTION_ENDED')
    standing.registered = true
    return { expiresAt: now + leaseMs }
  }
}

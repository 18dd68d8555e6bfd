/** Registrations of this process: passes on their events in order, and reports those missed while a link was down. */
import { monotonicMs } from '../../clock.js'
import type { Grant, Interest, Registered, Stored } from '../../engine.js'
import { SpaceError } from '../../errors.js'
import type { Keys } from './keys.js'
import { olderProcesses } from './older-processes.js'
import { REPLY, TRANSITION, WAIT } from './protocol.js'
import { leaseText, packedTemplate, parseRecord } from './record.js'
import type { Transactions } from './transaction.js'
import { ask } from './wire/ask.js'
import type { Batches } from './wire/batches.js'
import type { Bodies } from './wire/bodies.js'

interface StandingRegistration {
  readonly id: string
  readonly interest: Interest
  /** When its lease ends, on this process's clock and no later than in the space; Infinity = never. */
  endsAt: number
  /** The number of the last event that has arrived or is known to be lost. */
  last: number
  /** The space has confirmed the registration. */
  registered: boolean
  /** Runs the listener calls in order, although the bodies of some events must be fetched first. */
  delivered: Promise<void>
}

export class Registrations {
  readonly #batches: Batches
  readonly #bodies: Bodies
  readonly #keys: Keys
  readonly #transactions: Transactions
  readonly #registrations = new Map<string, StandingRegistration>()
  #numbers = 0

  constructor(batches: Batches, bodies: Bodies, keys: Keys, transactions: Transactions) {
    this.#batches = batches
    this.#bodies = bodies
    this.#keys = keys
    this.#transactions = transactions
  }

  async notify(interest: Interest): Promise<Registered> {
    const { tx, on, leaseMs } = interest
    const kind = tx === undefined ? WAIT.registration : WAIT.registrationUnder
    const id = `${kind}${TRANSITION[on]}${(++this.#numbers).toString(36)}`
    const endsAt = monotonicMs() + leaseMs
    const registration: StandingRegistration = {
      id,
      interest,
      endsAt,
      last: 0,
      registered: false,
      delivered: Promise.resolve(),
    }
    this.#registrations.set(id, registration)
    try {
      const { expiresAt } = await this.#register(registration)
      return { id, sequence: 0, expiresAt }
    } catch (error) {
      this.#registrations.delete(id)
      throw error
    }
  }

  has(id: string): boolean {
    return this.#registrations.has(id)
  }

  async renew(id: string, leaseMs: number): Promise<Grant | null> {
    const endsAt = monotonicMs() + leaseMs
    const named = { registration: id, leaseMs: leaseText(leaseMs) }
    const { kind, now } = await ask(this.#batches, 'renewRegistration', named, { repeatable: true })
    const registration = this.#registrations.get(id)
    if (kind !== REPLY.done) return null
    if (registration) registration.endsAt = endsAt
    return { expiresAt: now + leaseMs }
  }

  async cancel(id: string): Promise<boolean> {
    this.#registrations.delete(id)
    const { kind } = await ask(this.#batches, 'endRegistration', { registration: id }, { repeatable: true })
    return kind === REPLY.done
  }

  /** Handles an event: `words` are the id of the entry and the number of the event. */
  event(id: string, words: string, record: Buffer, now: number): void {
    const registration = this.#registrations.get(id)
    if (!registration) return
    const [entryId, text] = words.split(' ') as [string, string]
    const number = Number(text)
    if (number > registration.last + 1) this.#missed(registration, number - registration.last - 1, number - 1)
    registration.last = number
    const parsed = parseRecord(entryId, record, now)
    const { interest } = registration
    if (parsed.damaged) {
      registration.delivered = registration.delivered.then(() => interest.onMissed(1, number))
      return
    }
    if (!parsed.byReference) {
      registration.delivered = registration.delivered.then(() => interest.onEvent(parsed, number))
      return
    }
    const fetched = this.#bodies.get(this.#keys.body(entryId)).catch(() => null)
    registration.delivered = registration.delivered.then(async () => {
      const body = await fetched
      const entry: Stored | null = body && { ...parsed, body }
      // The entry was taken before its body could be fetched: the event is reported as missed.
      if (entry) interest.onEvent(entry, number)
      else interest.onMissed(1, number)
    })
  }

  /** Handles the end of a registration by the space. */
  ended(id: string): void {
    const registration = this.#registrations.get(id)
    this.#registrations.delete(id)
    registration?.interest.onEnded()
  }

  /** After a reconnect, reports missed events and repeats registrations that the space has forgotten. */
  askAnew(): void {
    for (const registration of this.#registrations.values())
      if (registration.registered) void this.#catchUp(registration)
  }

  async #catchUp(registration: StandingRegistration): Promise<void> {
    const { id } = registration
    try {
      const options = { repeatable: true, standing: true }
      const { kind, values } = await ask(this.#batches, 'lastEvent', { registration: id }, options)
      if (kind === REPLY.number) {
        const last = Number(values[0]!.toString('latin1'))
        if (last > registration.last) this.#missed(registration, last - registration.last, last)
        registration.last = Math.max(last, registration.last)
      } else if (registration.interest.tx !== undefined || monotonicMs() >= registration.endsAt) {
        this.ended(id)
      } else {
        // The number of events in between is unknown.
        registration.last++
        this.#missed(registration, Number.POSITIVE_INFINITY, registration.last)
        await this.#register(registration)
      }
    } catch {
      // The link is gone again; the next one catches up.
    }
  }

  #missed(registration: StandingRegistration, count: number, number: number): void {
    registration.delivered = registration.delivered.then(() => registration.interest.onMissed(count, number))
  }

  async #register(registration: StandingRegistration): Promise<Grant> {
    const { id, interest, endsAt, last } = registration
    const leaseMs = Math.ceil(Math.max(endsAt - monotonicMs(), 0))
    const { tx = '', templates } = interest
    const named = {
      registration: id,
      sequence: String(last),
      leaseMs: leaseText(leaseMs),
      transaction: tx,
      templates: templates.map(packedTemplate).join('\n'),
    }
    if (tx) this.#transactions.announce(tx)
    const reply = await ask(this.#batches, 'notify', named, { repeatable: true })
    const { kind, now } = reply
    if (kind === REPLY.transactionEnded) throw new SpaceError('TRANSACTION_ENDED')
    if (kind === REPLY.failed)
      throw olderProcesses(reply, 'They would not report events to a template with conditions.')
    registration.registered = true
    return { expiresAt: now + leaseMs }
  }
}

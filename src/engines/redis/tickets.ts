/** Tickets: requests whose outcomes are kept in the space, where any process can read them. */

import {
  type Opening,
  type SettledPage,
  type TicketState,
  type Tickets,
  type TicketTerms,
  ticketsFull,
} from '../../engine/tickets.js'
import type { Delivery, EncodedEntry, Stored } from '../../engine.js'
import { pendingEntry } from '../../entry/ticket.js'
import { isSpaceError, SpaceError } from '../../errors.js'
import { bodyWithChecksum } from './checksum.js'
import type { Keys } from './keys.js'
import { OUTCOME, REPLY, SHARED, TICKET_STATE } from './protocol.js'
import { entryArguments, parseRecord } from './record.js'
import { ask } from './wire/ask.js'
import type { Batches } from './wire/batches.js'
import { Bodies } from './wire/bodies.js'
import { readPage } from './wire/push.js'
import type { Writes } from './write.js'

const OPENINGS: Readonly<Record<string, Opening>> = {
  [REPLY.done]: 'opened',
  [REPLY.joined]: 'joined',
  [REPLY.busy]: 'busy',
  [REPLY.differs]: 'differs',
}
const STATES: Readonly<Record<string, TicketState['state']>> = Object.fromEntries(
  Object.entries(TICKET_STATE).map(([name, letter]) => [letter, name as TicketState['state']]),
)

export class RedisTickets implements Tickets {
  readonly #batches: Batches
  readonly #bodies: Bodies
  readonly #keys: Keys
  readonly #writes: Writes
  /** Returns the name of an outcome body that belongs to no claim. */
  readonly #claimFor: (id: string) => string

  constructor(batches: Batches, bodies: Bodies, keys: Keys, writes: Writes, claimFor: (id: string) => string) {
    this.#batches = batches
    this.#bodies = bodies
    this.#keys = keys
    this.#writes = writes
    this.#claimFor = claimFor
  }

  async settled(after: string): Promise<SettledPage> {
    return settledTickets(this.#batches, after)
  }

  async open(terms: TicketTerms, entry: EncodedEntry): Promise<Opening> {
    const [, ...request] = await this.#writes.effects([entry], SHARED.kept)
    // The library makes the body of a pending ticket, and finds it by its id, without a token.
    const [header] = entryArguments({ ...pendingEntry(terms), indexed: [] }, '')
    const ticket = [header!, terms.id, '']
    const named = { maxBytes: String(terms.maxBytes), entries: ['2', ...ticket, ...request] }
    let opening: Opening | undefined
    try {
      const { kind, values } = await ask(this.#batches, 'openTicket', named, { repeatable: true, entries: 2 })
      if (kind === REPLY.full) throw ticketsFull('tickets', terms.maxBytes)
      if (kind === REPLY.shareFull) throw ticketsFull('share', terms.maxBytes)
      if (kind === REPLY.failed) throw this.#writes.noted(values[0]!)
      opening = OPENINGS[kind]
      if (opening === undefined) throw new SpaceError('INTERNAL', `The space replied ${kind} to a ticket.`)
      return opening
    } catch (error) {
      this.#writes.failed([entry], error)
      throw error
    } finally {
      if (opening !== undefined && opening !== 'opened') this.#writes.refused([entry])
    }
  }

  async settle(id: string, outcome: Buffer | null): Promise<boolean> {
    let argument: string | Buffer = ''
    if (outcome && Bodies.isLarge(outcome)) {
      const claim = this.#claimFor(id)
      await this.#bodies.put(this.#keys.outcomeBody(claim), outcome).catch((error) => {
        if (!isSpaceError(error, 'SPACE_FULL')) throw error
        // An outcome is never refused; see claim.ts.
        return ask(this.#batches, 'putOutcomeBody', { claim, body: bodyWithChecksum(outcome) }, { repeatable: true })
      })
      argument = OUTCOME.completedByReference + claim
    } else if (outcome) {
      argument = Buffer.concat([Buffer.from(OUTCOME.completed), outcome])
    }
    return (
      (await ask(this.#batches, 'settleTicket', { ticket: id, outcome: argument }, { repeatable: true })).kind ===
      REPLY.done
    )
  }

  async recordProgress(id: string, progress: Buffer): Promise<boolean> {
    return (await ask(this.#batches, 'setProgress', { ticket: id, progress }, { repeatable: true })).kind === REPLY.done
  }

  async reportProgress({ claim }: Delivery, progress: Buffer): Promise<boolean> {
    return (await ask(this.#batches, 'reportProgress', { claim, progress }, { repeatable: true })).kind === REPLY.done
  }

  async leave(id: string): Promise<void> {
    await ask(this.#batches, 'leaveTicket', { ticket: id }, { repeatable: true })
  }

  look(id: string): Promise<TicketState | null> {
    return lookAtTicket(this.#batches, id)
  }
}

/** Returns null if there is no such ticket. */
export async function lookAtTicket(batches: Pick<Batches, 'add'>, id: string): Promise<TicketState | null> {
  const { kind, values } = await ask(batches, 'lookAtTicket', { ticket: id }, { repeatable: true })
  if (kind !== REPLY.state) return null
  const [state, note] = values
  const [first = '', left = '', requestId = ''] = state!.toString('latin1').split(' ')
  const deaths = Number(first.slice(1))
  return { state: STATES[first[0]!]!, remainingMs: Number(left), requestId, deaths, progress: note! }
}

/** Looks through some entries behind `after`: '', or `next` of the page before. */
export async function settledTickets(batches: Pick<Batches, 'add'>, after: string): Promise<SettledPage> {
  const { values, now } = await ask(batches, 'settledTickets', { cursor: after || '0' }, { repeatable: true })
  const tickets: Stored[] = []
  readPage(values[1]!, ({ first, bytes }) => tickets.push(parseRecord(first, bytes, now)))
  return { tickets, next: values[0]!.toString('latin1') || null }
}

/** Tickets: requests whose outcomes are kept in the space, for whoever asks. */

import type { Opening, TicketState, Tickets, TicketTerms } from '../../engine/tickets.js'
import type { Delivery, EncodedEntry } from '../../engine.js'
import { pendingEntry } from '../../entry/ticket.js'
import { isSpaceError, SpaceError } from '../../errors.js'
import type { Keys } from './keys.js'
import { formOf } from './record.js'
import { ask } from './wire/ask.js'
import type { Batches } from './wire/batches.js'
import { Bodies, UNTIL_WRITTEN_MS } from './wire/bodies.js'
import type { Writes } from './write.js'

/** The presence of requests whose outcomes are kept: nobody's. prelude.lua has the same. */
const KEPT = '-'.repeat(22)

const OPENINGS: Record<string, Opening> = { k: 'opened', j: 'joined', b: 'busy', d: 'differs' }
const STATES: Record<string, TicketState['state']> = { w: 'waiting', r: 'running', a: 'absent', s: 'settled' }

export class RedisTickets implements Tickets {
  readonly #batches: Batches
  readonly #bodies: Bodies
  readonly #keys: Keys
  readonly #writes: Writes
  /** Makes the names of bodies that stand for themselves. */
  readonly #claimFor: (id: string) => string

  constructor(batches: Batches, bodies: Bodies, keys: Keys, writes: Writes, claimFor: (id: string) => string) {
    this.#batches = batches
    this.#bodies = bodies
    this.#keys = keys
    this.#writes = writes
    this.#claimFor = claimFor
  }

  async open(terms: TicketTerms, entry: EncodedEntry): Promise<Opening> {
    const ticket = formOf(pendingEntry(terms), '')
    const [, ...packed] = await this.#writes.along([entry], KEPT)
    const args = ['t', String(terms.maxBytes), ticket, terms.id, '', ...packed]
    let opening: Opening | undefined
    try {
      const { letter, values } = await ask(this.#batches, args, { repeatable: true, entries: 2 })
      if (letter === 'e') throw this.#writes.noted(values[0]!)
      opening = OPENINGS[letter]
      if (opening === undefined) throw new SpaceError('INTERNAL', `The space answered ${letter} to a ticket.`)
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
      await this.#bodies.put(this.#keys.outcomeBody(claim), outcome, UNTIL_WRITTEN_MS).catch((error) => {
        if (!isSpaceError(error, 'SPACE_FULL')) throw error
        // An outcome is never refused; see claim.ts.
        return ask(this.#batches, ['S', claim, outcome], { repeatable: true })
      })
      argument = `C${claim}`
    } else if (outcome) {
      argument = Buffer.concat([Buffer.from('c'), outcome])
    }
    return (await ask(this.#batches, ['Z', id, argument], { repeatable: true })).letter === 'k'
  }

  async recordProgress(id: string, note: Buffer): Promise<boolean> {
    return (await ask(this.#batches, ['m', id, note], { repeatable: true })).letter === 'k'
  }

  async reportProgress({ claim }: Delivery, note: Buffer): Promise<boolean> {
    return (await ask(this.#batches, ['p', claim, note], { repeatable: true })).letter === 'k'
  }

  async leave(id: string): Promise<void> {
    await ask(this.#batches, ['I', id], { repeatable: true })
  }

  async look(id: string): Promise<TicketState | null> {
    const { letter, values } = await ask(this.#batches, ['G', id], { repeatable: true })
    if (letter !== 'p') return null
    const [state, note] = values
    const [first = '', left = '', requestId = ''] = state!.toString('latin1').split(' ')
    const deaths = Number(first.slice(1))
    return { state: STATES[first[0]!]!, remainingMs: Number(left), requestId, deaths, progress: note! }
  }
}

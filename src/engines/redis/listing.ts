/** Listings: pages of entries, backlogs, offered tokens and kinds, without taking or waiting. */
import type { Backlog, EncodedTemplate, Listed, Page, SearchPlan } from '../../engine.js'
import { SpaceError } from '../../errors.js'
import type { Keys } from './keys.js'
import { KIND, RECORD, REPLY } from './protocol.js'
import { type Parsed, packedTemplate, parseRecord, part } from './record.js'
import type { Transactions } from './transaction.js'
import { ask, type Reply } from './wire/ask.js'
import type { Batches } from './wire/batches.js'
import type { Bodies } from './wire/bodies.js'
import type { Arguments, OperationName } from './wire/operation.js'
import { readPage } from './wire/push.js'

/** The score of a record. */
const SCORE = /^\d{16}$/

/** The first byte of a place in the order of a field names the type of its value, and is no digit. */
const LAST_DIGIT = 57

/** More than the value of a field has in an index. */
const LONGEST_PLACE = 2_000

/**
 * Returns the place of a cursor as operations have it. In the order of a field it is bytes, which the cursor has as
 * characters.
 * @throws SpaceError INVALID_ARGUMENT if the cursor is not one of such a template
 */
function placeIn(cursor: string | null, { orderedBy }: EncodedTemplate): Buffer {
  const place = Buffer.from(cursor ?? '', 'latin1')
  const isScore = place.length === 0 || SCORE.test(place.toString('latin1'))
  const isInOrder = orderedBy !== undefined && place[0]! > LAST_DIGIT && place.length <= LONGEST_PLACE
  if (isScore || isInOrder) return place
  throw new SpaceError('INVALID_ARGUMENT', 'The cursor of the listing is not one of a space on Redis.')
}

const unhexed = (place: string): string => Buffer.from(place, 'hex').toString('latin1')

const scoreOf = (record: Buffer): string => part(record.toString('latin1', 0, RECORD.score.to), RECORD.score)

/** Moves an entry that cannot be read to the dead letters. */
export type SetAside = (id: string, reason: 'damaged' | 'bodiless') => Promise<unknown>

export class Listings {
  readonly #batches: Pick<Batches, 'add'>
  readonly #bodies: Pick<Bodies, 'get'>
  readonly #keys: Keys
  readonly #transactions: Pick<Transactions, 'announce'>
  readonly #setAside: SetAside

  constructor(
    batches: Pick<Batches, 'add'>,
    bodies: Pick<Bodies, 'get'>,
    keys: Keys,
    transactions: Pick<Transactions, 'announce'>,
    setAside: SetAside,
  ) {
    this.#setAside = setAside
    this.#transactions = transactions
    this.#batches = batches
    this.#bodies = bodies
    this.#keys = keys
  }

  async page(template: EncodedTemplate, after: string | null, most: number, tx = ''): Promise<Page> {
    const place = placeIn(after, template)
    if (tx) this.#transactions.announce(tx)
    const named = { after: place, most: String(most), transaction: tx, template: packedTemplate(template) }
    const { values, now } = await this.#ask('list', named)
    const [next, items] = values
    const found: { readonly parsed: Parsed; readonly place: string }[] = []
    readPage(items!, ({ first, second, bytes }) => {
      found.push({ parsed: parseRecord(first, bytes, now), place: second ? unhexed(second) : scoreOf(bytes) })
    })
    const completed = await Promise.all(found.map(({ parsed }) => this.#complete(parsed)))
    const places = found.filter((_, n) => completed[n] !== null).map((each) => each.place)
    return {
      entries: completed.filter((entry) => entry !== null),
      next: next!.toString('latin1') || null,
      cursorAt: (entry) => places[entry]!,
    }
  }

  async count(template: EncodedTemplate): Promise<number> {
    let count = 0
    for (let after: Buffer = Buffer.alloc(0); ; ) {
      const { values } = await this.#ask('count', { after, template: packedTemplate(template) })
      const [next, found] = values as [Buffer, Buffer]
      count += Number(found.toString('latin1'))
      if (next.length === 0) return count
      after = next
    }
  }

  async plan(template: EncodedTemplate): Promise<SearchPlan> {
    const { values } = await this.#ask('plan', { template: packedTemplate(template) })
    const [index, candidates] = values.map((value) => value.toString())
    return { index: index ? index.split(';') : [], candidates: Number(candidates) }
  }

  async backlog(template: EncodedTemplate): Promise<Backlog> {
    const { values, now } = await this.#ask('backlog', { template: packedTemplate(template) })
    const [oldest, count] = values.map((value) => value.toString('latin1'))
    return { count: Number(count), oldestMs: oldest ? Math.max(now - Number(oldest), 0) : 0 }
  }

  async offered({ kind, indexed }: EncodedTemplate): Promise<string[] | null> {
    const { values } = await this.#ask('offered', { kind, token: indexed[0] ?? '' })
    if (values[0]!.length > 0) return null
    const tokens: string[] = []
    readPage(values[1]!, ({ bytes }) => tokens.push(bytes.toString()))
    return tokens
  }

  async kinds(): Promise<Map<string, number>> {
    const { values } = await this.#ask('kinds', {})
    const counts = new Map<string, number>()
    readPage(values[1]!, ({ first, second }) => counts.set(Buffer.from(first, 'latin1').toString(), Number(second)))
    return counts
  }

  async #ask<N extends OperationName>(name: N, named: Arguments<N>): Promise<Reply> {
    for (;;) {
      const answer = await ask(this.#batches, name, named, { repeatable: true })
      if (answer.kind === REPLY.transactionEnded) throw new SpaceError('TRANSACTION_ENDED')
      // Only a page whose reply was lost must be requested again.
      if (answer.kind !== REPLY.askAgain) return answer
    }
  }

  /** Returns the entry with its body; null if the entry was removed meanwhile, or is damaged and was set aside. */
  async #complete(parsed: Parsed): Promise<Listed | null> {
    if (parsed.damaged) {
      await this.#setAside(parsed.id, 'damaged')
      return null
    }
    if (!parsed.byReference) return parsed
    const rest = await this.#bodies.get(this.#keys.body(parsed.id))
    // The record of a dead letter has the head of its body, and is listed without the rest, too.
    if (!rest && parsed.kinds[0] === KIND.deadLetter) return parsed
    if (!rest) {
      // Has no effect if the entry is gone, too.
      await this.#setAside(parsed.id, 'bodiless')
      return null
    }
    return { ...parsed, body: Buffer.concat([parsed.body, rest]) }
  }
}

/** A view of a space: its listings, backlogs and tickets, read without a presence in it, as a user who may only read. */
import type { Tickets } from '../../engine/tickets.js'
import type { Engine } from '../../engine.js'
import { SpaceError } from '../../errors.js'
import { silent } from '../../log.js'
import { allOrNone } from '../../runtime/all-or-none.js'
import { sumOfBacklogs, sumOfKinds, sumOfPlans } from '../partitions/listings.js'
import { settledInTurn } from '../partitions/tickets.js'
import { TransactionsInPartitions } from '../partitions/transactions-of-all.js'
import { checkedBody } from './checksum.js'
import { agreedDurability } from './durability.js'
import { type Keys, keysOf } from './keys.js'
import { Listings } from './listing.js'
import { partsOf } from './partition-count.js'
import { REFUSAL } from './protocol.js'
import { lookAtTicket, settledTickets } from './tickets.js'
import { TransactionsOnRedis } from './transactions-of-all.js'
import { addressOf } from './wire/address.js'
import { ensureLibrary, LOOK } from './wire/library.js'
import { type LookingClient, openLook } from './wire/look.js'
import { appendOperations, type Operation } from './wire/operation.js'
import { layoutError } from './wire/refusal.js'
import { fieldsOf, levelOf, unsuitableRole } from './wire/server.js'

/** The part of an engine that reads. */
export interface ReadingEngine
  extends Pick<Engine, 'durability' | 'kinds' | 'list' | 'count' | 'plan' | 'backlog' | 'transactions'> {
  readonly tickets: Pick<Tickets, 'look' | 'settled'>
}

export interface View {
  readonly engine: ReadingEngine
  close(): void
}

/** @throws SpaceError SPACE_UNREACHABLE, REDIS_REFUSED, REDIS_UNSUITABLE, TLS_FAILED, URL_UNKNOWN */
export async function openView(url: string, name: string, timeoutMs: number): Promise<View> {
  const parts = await partsOf(url, name, timeoutMs)
  const opening = parts.map((part) => openPart(url, keysOf(name, part), timeoutMs))
  const views = await allOrNone(opening, (view) => view.close())
  const close = (): void => {
    for (const view of views) view.close()
  }
  return { engine: viewOfAll(views.map(({ engine }) => engine)), close }
}

/** One part after the other: their pages are not merged by priority and age. */
function viewOfAll(parts: readonly ReadingEngine[]): ReadingEngine {
  if (parts.length === 1) return parts[0]!
  return {
    durability: parts[0]!.durability,
    async count(template) {
      const counts = await Promise.all(parts.map((part) => part.count(template)))
      return counts.reduce((sum, count) => sum + count, 0)
    },
    async plan(template) {
      return sumOfPlans(await Promise.all(parts.map((part) => part.plan(template))))
    },
    async backlog(template) {
      return sumOfBacklogs(await Promise.all(parts.map((part) => part.backlog(template))))
    },
    tickets: {
      async look(id) {
        const found = await Promise.all(parts.map((part) => part.tickets.look(id)))
        return found.find((state) => state !== null) ?? null
      },
      settled: (after) =>
        settledInTurn(
          parts.map(({ tickets }) => tickets),
          after,
        ),
    },
    transactions: new TransactionsInPartitions(() => parts),
    async kinds() {
      return sumOfKinds(await Promise.all(parts.map((part) => part.kinds())))
    },
    async list(template, after, most) {
      const [, part, place] = /^(\d+)\/(.*)$/s.exec(after ?? '0/') ?? []
      const index = Number(part)
      const asked = parts[index]
      if (!asked) throw new SpaceError('INVALID_ARGUMENT', 'The cursor of the listing is not one of these partitions.')
      const { entries, next, cursorAt } = await asked.list(template, place || null, most)
      const isLast = index + 1 === parts.length
      return {
        entries,
        next: next !== null ? `${index}/${next}` : isLast ? null : `${index + 1}/`,
        cursorAt: (entry) => `${index}/${cursorAt(entry)}`,
      }
    },
  }
}

async function openPart(url: string, keys: Keys, timeoutMs: number): Promise<View> {
  const { client, close, errorOf } = await openLook(url, timeoutMs, keys.counters)
  try {
    const info = fieldsOf(await client.info())
    const role = unsuitableRole(info)
    if (role) throw new SpaceError('REDIS_UNSUITABLE', role)
    await ensureLibrary(client, () => {})
    const calls = new Calls(client, keys.counters, info.get('run_id') ?? '', errorOf)
    const bodies = {
      get: async (key: string) => {
        const stored = await client.getBuffer(key)
        return stored && checkedBody(stored)
      },
    }
    // Who may only read leaves damaged entries where they are.
    const listings = new Listings(calls, bodies, keys, { announce() {} }, async () => {})
    const failsOver = addressOf(url).seeds !== undefined
    const durability = agreedDurability(await levelOf(client, info), undefined, failsOver, silent)
    return { engine: readingOf(listings, calls, durability), close }
  } catch (error) {
    close()
    throw errorOf(error as Error)
  }
}

const readingOf = (listings: Listings, calls: Calls, durability: string): ReadingEngine => ({
  durability,
  kinds: () => listings.kinds(),
  list: (template, after, most) => listings.page(template, after, most),
  count: (template) => listings.count(template),
  plan: (template) => listings.plan(template),
  backlog: (template) => listings.backlog(template),
  tickets: { look: (id) => lookAtTicket(calls, id), settled: (after) => settledTickets(calls, after) },
  transactions: new TransactionsOnRedis(calls),
})

/** Calls of the function that reads, one for each operation. */
class Calls {
  readonly #client: LookingClient
  readonly #counters: string
  readonly #run: string
  readonly #errorOf: (error: Error) => SpaceError
  #command: 'FCALL_RO' | 'FCALL' = 'FCALL_RO'

  constructor(client: LookingClient, counters: string, run: string, errorOf: (error: Error) => SpaceError) {
    this.#client = client
    this.#counters = counters
    this.#run = run
    this.#errorOf = errorOf
  }

  add(operation: Operation): void {
    this.#call(operation).catch((error) => operation.fail(this.#errorOf(error)))
  }

  async #call(operation: Operation): Promise<void> {
    const args: (string | Buffer)[] = [LOOK, '1', this.#counters, this.#run]
    appendOperations(args, [operation])
    const reply = await this.#send(args)
    const [kind, now] = reply.slice(0, 2).map((value) => value.toString('latin1'))
    if (kind === REFUSAL.dataNewer || kind === REFUSAL.dataOlder) throw layoutError(kind)
    operation.reply(kind!, reply.slice(2), Number(now))
  }

  /** Users with the right to all functions need none to FCALL_RO, and observers have no other. */
  async #send(args: (string | Buffer)[]): Promise<Buffer[]> {
    try {
      return (await this.#client.callBuffer(this.#command, ...args)) as Buffer[]
    } catch (error) {
      const isDenied = /^NOPERM.*fcall_ro/i.test((error as Error).message)
      if (!isDenied || this.#command === 'FCALL') throw error
      this.#command = 'FCALL'
      return this.#send(args)
    }
  }
}

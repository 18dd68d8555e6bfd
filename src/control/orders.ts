/** Orders: what an operator tells one process to do. The process takes its orders from the space and answers each. */
import { SpaceError } from '../errors.js'
import { pause } from '../runtime/deadline.js'
import type { Space } from '../space.js'
import { Answer, Order, type OrderFields, VERBS, type Verb } from './kinds.js'

/** A process that has not taken an order by then does not answer. */
const ORDER_LEASE_MS = 10_000
const ANSWER_LEASE_MS = 60_000
const LONGEST_NAME = 100

export interface OrderOptions {
  /** The level, for `logLevel`. */
  readonly argument?: string
  /** The operator, for the log. */
  readonly by: string
  /** How long to wait for the answer, in ms. Default 5 000. */
  readonly waitMs?: number
}

/**
 * Gives an order to a process and waits until it has begun to obey.
 *
 * @param process its name in the space
 * @throws SpaceError ORDER_REFUSED with the reason; ORDER_UNANSWERED: the order is withdrawn unless it was taken
 */
export async function order(space: Space, process: string, verb: Verb, options: OrderOptions): Promise<void> {
  const { argument = '', by, waitMs = 5_000 } = options
  const id = space.newId()
  const fields = { id, process, verb, argument, by: by.slice(0, LONGEST_NAME) }
  const lease = await space.write(Order(fields), { leaseMs: ORDER_LEASE_MS })
  const answer = await space.take(Answer.template({ order: id }), { waitMs })
  if (answer?.refusal) throw new SpaceError('ORDER_REFUSED', answer.refusal)
  if (answer) return
  await lease.cancel().catch(() => {})
  throw new SpaceError('ORDER_UNANSWERED', `No answer within ${waitMs} ms.`)
}

/** Takes the orders for this process until it is stopped. */
export class Orders {
  readonly #space: Space
  readonly #obey: (verb: Verb, argument: string, by: string) => Promise<void>
  readonly #over = new AbortController()

  /** `obey` resolves when the order is obeyed; its error is the refusal. */
  constructor(space: Space, obey: (verb: Verb, argument: string, by: string) => Promise<void>) {
    this.#space = space
    this.#obey = obey
  }

  start(): void {
    void this.#take()
  }

  stop(): void {
    this.#over.abort()
  }

  async #take(): Promise<void> {
    const { signal } = this.#over
    const mine = Order.template({ process: this.#space.presence })
    while (!signal.aborted) {
      const order = await this.#space.take(mine, { signal }).catch(() => undefined)
      if (!order) {
        if (!signal.aborted) await pause(RETRY_MS, signal).catch(() => {})
        continue
      }
      const refusal = await this.#refusalOf(order)
      const answer = Answer({ order: order.id, refusal })
      await this.#space.write(answer, { leaseMs: ANSWER_LEASE_MS }).catch(() => {})
    }
  }

  async #refusalOf({ verb, argument, by }: OrderFields): Promise<string> {
    if (!VERBS.has(verb)) return 'This version of takespace knows no such order.'
    try {
      await this.#obey(verb as Verb, argument, by)
      return ''
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }
}

/** Time after a take that has failed: the space is away. */
const RETRY_MS = 1_000

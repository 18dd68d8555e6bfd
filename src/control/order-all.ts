/** One order for many processes: each answers, and the refusal of one stops no other. */
import { isSpaceError } from '../errors.js'
import type { Space } from '../space.js'
import type { ProcessReport, Verb } from './kinds.js'
import { order } from './orders.js'

/** `suspend` needs no answer of the process: the space hands it nothing until it asks again. */
export type OrderName = Verb | 'suspend'

export interface Obeyed {
  readonly process: string
  readonly host: string
  readonly pid: number
  /** '' if it was obeyed; else why not. */
  readonly refusal: string
}

export interface OrderTerms {
  readonly by: string
  /** The level, for `logLevel`. */
  readonly argument?: string
}

/** Gives an order to each of these processes. @throws SpaceError as order(), but no refusal */
export const orderAll = (
  space: Space,
  name: OrderName,
  to: readonly ProcessReport[],
  terms: OrderTerms,
): Promise<Obeyed[]> =>
  Promise.all(
    to.map(async (each) => {
      const { process, host, pid } = each
      return { process, host, pid, refusal: await refusalOf(space, name, process, terms) }
    }),
  )

async function refusalOf(space: Space, name: OrderName, process: string, terms: OrderTerms): Promise<string> {
  try {
    if (name === 'suspend') await space.suspend(process)
    else await order(space, process, name, terms)
    return ''
  } catch (error) {
    if (!isSpaceError(error, 'ORDER_REFUSED') && !isSpaceError(error, 'ORDER_UNANSWERED')) throw error
    return error.message
  }
}

/** Returns the object of an order, for the audit: the process with its host and release, or the names of many. */
export function orderTarget(to: readonly ProcessReport[]): string {
  const [first] = to
  if (to.length !== 1 || !first) return `${to.length} processes: ${to.map(({ process }) => process).join(' ')}`
  const { process, pid, host, release } = first
  return `${process} (pid ${pid} of ${host}${release ? `, release ${release}` : ''})`
}

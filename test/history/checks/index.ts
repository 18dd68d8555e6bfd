/** All checks of a history, the cheap ones first. Each is a pure function that answers what it found wrong, one line each. */
import { type Entries, entriesOf } from '../entries.js'
import type { History } from '../history.js'
import { type Requests, requestsOf } from '../requests.js'
import { nothingInvented, nothingLost } from './books.js'
import { countedOnce } from './counted.js'
import { oneHolder } from './holders.js'
import { linearizable } from './linearizable.js'
import { nothingOverlooked } from './overlooked.js'
import { oneAnswer } from './responses.js'
import { settled } from './settled.js'
import { tokensRise } from './tokens.js'
import { allOrNothing } from './transactions.js'

export interface Facts {
  readonly history: History
  readonly entries: Entries
  readonly requests: Requests
}

export interface Violation {
  readonly check: string
  readonly what: string
}

const CHECKS: Readonly<Record<string, (facts: Facts) => string[]>> = {
  'nothing invented': nothingInvented,
  'nothing lost': nothingLost,
  'one holder': oneHolder,
  'tokens rise': tokensRise,
  'one answer, of the accepted claim': oneAnswer,
  'all or nothing': allOrNothing,
  'each entry linearizable': linearizable,
  'nothing overlooked': nothingOverlooked,
  'each update counts once': countedOnce,
  settled,
}

export const CHECK_NAMES = Object.keys(CHECKS)

export function check(history: History): Violation[] {
  const facts = { history, entries: entriesOf(history), requests: requestsOf(history) }
  return Object.entries(CHECKS).flatMap(([check, find]) => find(facts).map((what) => ({ check, what })))
}

/** An operation in a few words, for whoever has to find it in the records. */
export const told = ({ op, what, invoked, returned, out }: History['operations'][number]): string =>
  `${what} ${op} [${invoked}, ${returned}] ${out}`

/** Searches: listings that a user asks for, one at a time for each, and none longer than 2 s. */
import { monotonicMs } from '../clock.js'
import { Refused } from './refusal.js'

const LONGEST_MS = 2_000
const MOST_WAITING = 4

/** Rows of a page. */
export const PAGE_ROWS = 50

/** A search that runs. */
export interface Search {
  /** True when its time is over: it returns what it has found. */
  isOver(): boolean
}

export class Searches {
  /** By the user. */
  readonly #last = new Map<string, { waiting: number; done: Promise<unknown> }>()

  /** Runs a search when those of the same user before it are over. @throws Refused 429 */
  async run<T>(user: string, search: (search: Search) => Promise<T>): Promise<T> {
    const before = this.#last.get(user)
    if (before && before.waiting >= MOST_WAITING) throw new Refused(429, 'searches', 'Your other searches run still.')
    const own = before ?? { waiting: 0, done: Promise.resolve() }
    own.waiting++
    this.#last.set(user, own)
    const found = own.done.then(() => {
      const until = monotonicMs() + LONGEST_MS
      return search({ isOver: () => monotonicMs() >= until })
    })
    own.done = found.catch(() => {})
    try {
      return await found
    } finally {
      own.waiting--
      if (own.waiting === 0) this.#last.delete(user)
    }
  }
}

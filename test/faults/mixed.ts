/** The load of most fault tests: GETs, which may be run again, and POSTs, which may not, side by side. */
import { type Answer, type Load, startLoad } from '../support/load.js'
import type { System } from './system.js'

export interface Mixed {
  readonly gets: Load
  readonly posts: Load
  readonly sent: number
  readonly answered: number
  /** All of both, when the last has come. */
  stop(): Promise<readonly Answer[]>
}

/** Over 2 KiB: it takes the second connection of a process. */
const LARGE_BYTES = 5_000
/**
 * A port has room for 511 connections that its process has not yet accepted, on a machine that is too busy for seconds.
 * More are reset, and ever more would wait for ever longer.
 */
const MOST_OPEN = 250

export interface MixedOptions {
  readonly perSecond?: number
  /** How long a handler takes. */
  readonly workMs?: number
  /** Every other POST brings a large body, every other GET is answered with one. */
  readonly large?: boolean
}

export function startMixed({ urls }: Pick<System, 'urls'>, options: MixedOptions = {}): Mixed {
  const { perSecond = 60, workMs = 50, large = false } = options
  const isLarge = (n: number): boolean => large && n % 2 === 1
  const gets = startLoad(urls, {
    perSecond: perSecond / 2,
    mostOpen: MOST_OPEN,
    method: 'GET',
    path: (n) => `/get/${n}?ms=${workMs}${isLarge(n) ? `&bytes=${LARGE_BYTES}` : ''}`,
  })
  const posts = startLoad(urls, {
    perSecond: perSecond / 2,
    mostOpen: MOST_OPEN,
    method: 'POST',
    path: (n) => `/post/${n}?ms=${workMs}`,
    body: (n) => (isLarge(n) ? 'x'.repeat(LARGE_BYTES) : ''),
  })
  return {
    gets,
    posts,
    get sent() {
      return gets.sent + posts.sent
    },
    get answered() {
      return gets.answers.length + posts.answers.length
    },
    stop: async () => (await Promise.all([gets.stop(), posts.stop()])).flat(),
  }
}

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

export function startMixed(
  { urls }: Pick<System, 'urls'>,
  { perSecond = 60, query = '', body }: { perSecond?: number; query?: string; body?: (n: number) => string } = {},
): Mixed {
  const begin = (method: string, name: string): Load =>
    startLoad(urls, { perSecond: perSecond / 2, method, path: (n) => `/${name}/${n}${query}`, ...(body && { body }) })
  const [gets, posts] = [begin('GET', 'get'), begin('POST', 'post')]
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

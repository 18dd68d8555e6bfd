/** Large bodies: around Lua, by plain commands on a connection of their own, before the call that speaks of them. */
import { monotonicMs } from '../../../clock.js'
import { SpaceError } from '../../../errors.js'
import { SHARED } from '../protocol.js'
import type { Link } from './connection.js'

/** As long as any other operation waits for the link to come back. */
const GIVE_UP_MS = 5_000

export class Bodies {
  #link: Link | undefined
  readonly #waiting = new Set<() => void>()

  up(link: Link): void {
    this.#link = link
    for (const wake of this.#waiting) wake()
  }

  down(): void {
    this.#link = undefined
  }

  static isLarge(body: Buffer): boolean {
    return body.length > SHARED.largestInline
  }

  /** @throws SpaceError SPACE_UNREACHABLE (nothing was done that matters), SPACE_FULL */
  put(key: string, body: Buffer): Promise<void> {
    // If the process dies before the write, or the completion, the body must not remain. Long enough for a clock that steps by an hour.
    return this.#overLink((link) => link.putBody(key, body, SHARED.bodyUnwrittenMs))
  }

  /** What it belongs to was refused. Where no link comes in time, its time to live sees to it. */
  drop(key: string): void {
    this.#overLink((link) => link.dropBody(key)).catch(() => {})
  }

  /** null: it is not there any longer. */
  get(key: string): Promise<Buffer | null> {
    return this.#overLink((link) => link.getBody(key))
  }

  /** Both commands may be repeated, so a cut link is waited for and tried again. */
  async #overLink<T>(use: (link: Link) => Promise<T>): Promise<T> {
    const until = monotonicMs() + GIVE_UP_MS
    for (;;) {
      const link = this.#link ?? (await this.#nextLink(until - monotonicMs()))
      try {
        return await use(link)
      } catch (error) {
        const cause = error as Error
        if (/^OOM/.test(cause.message)) throw new SpaceError('SPACE_FULL', '', { cause })
        if (cause.name === 'ReplyError') throw new SpaceError('REDIS_REFUSED', cause.message, { cause })
        // Cut, or too slow: the commands' own connection may have ended without the other one.
        if (link === this.#link) await this.#nextLink(RETRY_MS).catch(() => {})
        if (monotonicMs() >= until) throw new SpaceError('SPACE_UNREACHABLE', '', { cause })
      }
    }
  }

  #nextLink(ms: number): Promise<Link> {
    return new Promise((resolve, reject) => {
      const wake = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(wake)
        if (this.#link) resolve(this.#link)
        else reject(new SpaceError('SPACE_UNREACHABLE'))
      }
      const timer = setTimeout(wake, Math.max(ms, 0))
      this.#waiting.add(wake)
    })
  }
}

const RETRY_MS = 50

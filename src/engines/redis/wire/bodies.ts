/**
 * Large bodies: sent past Lua by plain commands, on a connection of their own, before the call that refers to them.
 */
import { monotonicMs } from '../../../clock.js'
import { SpaceError } from '../../../errors.js'
import { bodyWithChecksum, checkedBody } from '../checksum.js'
import { SHARED } from '../protocol.js'
import type { Link } from './link.js'
import { reactionTo } from './reactions.js'
import { isLoginRefused } from './refusal.js'

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

  /** Stores a body. @throws SpaceError SPACE_UNREACHABLE (a body that was stored has no effect), SPACE_FULL */
  put(key: string, body: Buffer): Promise<void> {
    // The time to live removes the body if the process dies before the write or completion. A clock step of an hour
    // does not.
    const stored = bodyWithChecksum(body)
    return this.#overLink((link) => link.putBody(key, stored, SHARED.bodyUnwrittenMs))
  }

  /** Drops the body of a refused operation. If no link comes in time, the time to live removes the body. */
  drop(key: string): void {
    this.#overLink((link) => link.dropBody(key)).catch(() => {})
  }

  /** Returns a body; null if it is gone or damaged. */
  async get(key: string): Promise<Buffer | null> {
    const stored = await this.#overLink((link) => link.getBody(key))
    return stored && checkedBody(stored)
  }

  /** Retries over a new link if the link was cut: all three commands are idempotent. */
  async #overLink<T>(use: (link: Link) => Promise<T>): Promise<T> {
    const until = monotonicMs() + GIVE_UP_MS
    for (;;) {
      const link = this.#link ?? (await this.#nextLink(until - monotonicMs()))
      try {
        return await use(link)
      } catch (error) {
        const cause = error as Error
        if (cause.message.startsWith('OOM')) throw new SpaceError('SPACE_FULL', '', { cause })
        const isTransient = reactionTo(cause) !== undefined || isLoginRefused(cause)
        if (cause.name === 'ReplyError' && !isTransient) throw new SpaceError('REDIS_REFUSED', cause.message, { cause })
        // Cut, too slow, blocked by a script, or refused under a password that is read again: the connection for bodies
        // may have ended without the other one.
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

/** Large bodies: around Lua, by plain commands on a connection of their own, before the call that speaks of them. */
import { SpaceError } from '../../errors.js'
import type { Link } from './connection.js'
import { LARGEST_INLINE } from './record.js'

/** Only a safety net: a body goes with its entry. But nothing may stay for ever if a process dies between the body and its entry. */
const GRACE_MS = 24 * 60 * 60 * 1000

export class Bodies {
  #link: Link | undefined

  up(link: Link): void {
    this.#link = link
  }

  down(): void {
    this.#link = undefined
  }

  static isLarge(body: Buffer): boolean {
    return body.length > LARGEST_INLINE
  }

  /** @throws SpaceError SPACE_UNREACHABLE: nothing was done that matters */
  async put(key: string, body: Buffer, leaseMs: number): Promise<void> {
    try {
      await this.#linked().putBody(key, body, leaseMs + GRACE_MS)
    } catch (cause) {
      if (/^OOM/.test((cause as Error).message)) throw new SpaceError('SPACE_FULL', '', { cause })
      throw cause instanceof SpaceError ? cause : new SpaceError('SPACE_UNREACHABLE', '', { cause })
    }
  }

  /** null: it is not there any longer. */
  async get(key: string): Promise<Buffer | null> {
    try {
      return await this.#linked().getBody(key)
    } catch (cause) {
      throw cause instanceof SpaceError ? cause : new SpaceError('SPACE_UNREACHABLE', '', { cause })
    }
  }

  #linked(): Link {
    if (!this.#link) throw new SpaceError('SPACE_UNREACHABLE')
    return this.#link
  }
}

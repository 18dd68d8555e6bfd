/** The options of all session stores. */

import { type Moved, onlyKnown } from '../errors/unknown-option.js'
import { SpaceError } from '../errors.js'
import { Space } from '../space.js'

/** The policy for an attribute that two requests change at once. */
export type SessionPolicy = 'merge' | 'reject' | 'lock'

/** @typeParam D the attributes of a session, the parameter of `userOf`. Default: any. */
// biome-ignore lint/suspicious/noExplicitAny: the attributes are the app's own
export interface SessionOptions<D = any> {
  /** The space of the sessions; all processes that open it share them. */
  readonly space: Space
  /**
   * Concurrent requests that change different attributes of a session do not conflict. If they change the same one:
   * `merge` (default), the last save wins; `reject`, the second save fails with SESSION_CONFLICT; `lock`, a request has
   * the session to itself from load to save, and others wait.
   */
  readonly policy?: SessionPolicy | undefined
  /** Bounds of the policy `lock`. */
  readonly lock?: SessionLockOptions | undefined
  /** Life of an unused session whose cookie has no maxAge, in ms. Default 24 h. */
  readonly ttlMs?: number | undefined
  /** Maximum size of a session, in bytes of JSON; a save beyond it fails with SESSION_TOO_LARGE. Default 256 KiB. */
  readonly maxBytes?: number | undefined
  /**
   * Returns the user of a session, by which `count`, `destroyAll` and `notify` find it: a text of at most 200
   * characters, or a number; nothing before a login. Called at each save.
   * @example userOf: (session) => session.userId
   */
  readonly userOf?: (session: D) => string | number | null | undefined
}

export interface SessionLockOptions {
  /** How long one request may hold a session, in ms. Default 10 000. */
  readonly leaseMs?: number | undefined
  /** How long another request waits for the session before it fails with SESSION_LOCKED (503), in ms. Default 5 000. */
  readonly waitMs?: number | undefined
}

export interface SessionTerms extends Required<Omit<SessionOptions, 'userOf' | 'lock'>> {
  readonly lockMs: number
  readonly waitMs: number
  readonly userOf: NonNullable<SessionOptions['userOf']>
}

export const SESSION_OPTIONS = ['space', 'policy', 'lock', 'ttlMs', 'maxBytes', 'userOf']
const OPTIONS: ReadonlySet<string> = new Set(SESSION_OPTIONS)
const LOCK_OPTIONS: ReadonlySet<string> = new Set(['leaseMs', 'waitMs'])
/** The names that these options had before they were grouped. */
export const MOVED_SESSION_OPTIONS: Moved = { lockMs: 'lock.leaseMs', waitMs: 'lock.waitMs' }
const POLICIES: readonly unknown[] = ['merge', 'reject', 'lock']
export const LONGEST_USER = 200

/** @throws SpaceError INVALID_ARGUMENT */
export function termsOf(options: SessionOptions, what: string): SessionTerms {
  onlyKnown(what, options, OPTIONS, MOVED_SESSION_OPTIONS)
  const { space, policy = 'merge', lock = {} } = options
  const { leaseMs: lockMs = 10_000, waitMs = 5_000 } = onlyKnown('lock', lock, LOCK_OPTIONS)
  const { ttlMs = 24 * 60 * 60 * 1000, maxBytes = 256 * 1024, userOf = () => undefined } = options
  if (!(space instanceof Space)) invalidOption('space is what openSpace returned.')
  if (!POLICIES.includes(policy)) invalidOption('policy is merge, reject or lock.')
  if (typeof userOf !== 'function') invalidOption('userOf is a function.')
  for (const [name, value] of Object.entries({ 'lock.leaseMs': lockMs, ttlMs, maxBytes })) {
    if (!(Number.isFinite(value) && value >= 1)) invalidOption(`${name} is a number of at least 1.`)
  }
  if (!(Number.isFinite(waitMs) && waitMs >= 0)) invalidOption('lock.waitMs is a number of at least 0.')
  return { space, policy, lockMs, waitMs, ttlMs, maxBytes, userOf }
}

const EXCEPT: ReadonlySet<string> = new Set(['except'])

/** @throws SpaceError INVALID_ARGUMENT */
export const exceptIn = (options: { except?: string }): string | undefined =>
  onlyKnown('destroyAll', options, EXCEPT).except

function invalidOption(detail: string): never {
  throw new SpaceError('INVALID_ARGUMENT', detail)
}

/**
 * The contract of session entries. They have a lease like every entry and are shared by all processes; in addition they
 * are updated in place, attribute by attribute. Each call is one atomic step:
 *
 *   1. A save changes the attributes that it names and no other, all of them or none.
 *   2. A destroyed or expired session stays so: only a save with `isNew` creates one.
 *   3. A save that names attribute versions is refused as a whole if one of these attributes has changed since.
 *   4. A lock has one holder. Other loads wait in a queue, saves of others are refused. The lock ends with the holder's
 *      save, touch or release, with the session, at its timeout, and when its process is gone; then the next load in
 *      the queue has it.
 *   5. The lease ends exactly, and a registration for `ended` is told within a second.
 *   6. A damaged session is never returned: it is removed, reported, and counts as missing from then on.
 */

/** The kind of session entries, and the field of their owner. */
export const SESSION = 'takespace.Session'
export const OWNER = 'owner'

/** A stored attribute: opaque text, never empty. */
export interface Attribute {
  readonly text: string
  /** Changes with each save of this attribute, and is never used twice in one session. */
  readonly version: string
  /** Bytes of the text, if known. */
  readonly bytes?: number
  /** The attribute as its engine has stored it, if known. */
  readonly stored?: string | undefined
}

export interface LoadedSession {
  /** A copy that the caller may change. */
  readonly attributes: Map<string, Attribute>
  /** Changes with each save. */
  readonly version: string
  /** The owner as saved; '' = none. */
  readonly owner: string
  /** Rest of the lease, in ms; Infinity = for ever. */
  readonly remainingMs: number
  /** The lock that the load has acquired; '' = none. */
  readonly lock: string
}

export interface LockTerms {
  /** The lock ends this long after it was acquired, in ms. */
  readonly lockMs: number
  /** How long a load waits for the lock, in ms. */
  readonly waitMs: number
}

/** A session as it was loaded or last saved. */
export type KnownSession = Pick<LoadedSession, 'attributes' | 'version' | 'owner'>

export interface SessionChange {
  /** From now; Infinity = for ever. */
  readonly leaseMs: number
  /** True creates the session with these attributes alone; false updates an existing one. */
  readonly isNew: boolean
  readonly set: readonly (readonly [name: string, text: string])[]
  readonly removed: readonly string[]
  /**
   * The versions that the save is based on, by attribute; '' or absent = the attribute did not exist. undefined: no
   * check.
   */
  readonly versions?: ReadonlyMap<string, string> | undefined
  /** The session as it was loaded or last saved, if known: if little of it stays, everything is written at once. */
  readonly base?: KnownSession | undefined
  /** undefined: unchanged; of a new session: none. */
  readonly owner?: string | undefined
  /** The lock that ends with this save; '' = none. */
  readonly lock: string
  /** Maximum bytes of all names and texts. */
  readonly maxBytes: number
}

export interface SavedSession {
  /** The new version of the session, and of each attribute that was set. */
  readonly version: string
  /** True if the session holds exactly what the saver knows: its base with its changes. */
  readonly isKnown: boolean
}

export interface SessionPage {
  readonly ids: readonly string[]
  /** The cursor for the next page; null after the last one. */
  readonly next: string | null
}

export interface SessionEntries {
  /**
   * Returns null if there is no such session. With `terms` the session is locked.
   * @throws SpaceError SESSION_LOCKED at the end of the wait
   */
  load(id: string, terms?: LockTerms): Promise<LoadedSession | null>
  /** Loads again under a lock that is held already. */
  reload(id: string, lock: string): Promise<LoadedSession | null>
  /**
   * Returns null if there is no such session; then nothing was saved.
   * @throws SpaceError SESSION_CONFLICT, SESSION_LOCKED, SESSION_TOO_LARGE, CLAIM_LOST (the lock is over), SPACE_FULL;
   *   then nothing was saved
   */
  save(id: string, change: SessionChange): Promise<SavedSession | null>
  /**
   * Renews the lease and ends the lock. Returns false if there is no such session. `base`: as of a save; it makes the
   * call cheaper.
   */
  touch(id: string, leaseMs: number, lock: string, base?: KnownSession): Promise<boolean>
  /** Returns false if there was no such session. */
  destroy(id: string): Promise<boolean>
  /** Releases a lock. */
  release(lock: string): Promise<void>
  /** Returns the number of sessions, of one owner or of all, without loading them. */
  count(owner?: string): Promise<number>
  /** Lists sessions page by page; one that exists throughout is listed at least once. */
  list(owner: string | undefined, after: string | null): Promise<SessionPage>
}

/** Why a session has ended. */
export type SessionEnd = 'destroyed' | 'expired'

/** The body of the event for the end of a session. */
export const endedBody = (reason: SessionEnd, owner: string): Buffer =>
  Buffer.from(`${reason} ${encodeURIComponent(owner)}`)

export function endedOf(body: Buffer): { reason: SessionEnd; owner: string } {
  const [reason, owner = ''] = body.toString('latin1').split(' ')
  return { reason: reason === 'expired' ? 'expired' : 'destroyed', owner: decodeURIComponent(owner) }
}

/** The token of an owner, for templates. */
export const ownerToken = (owner: string): string => `${OWNER}=${encodeURIComponent(owner)}`

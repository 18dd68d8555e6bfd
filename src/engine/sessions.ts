/**
 * Session entries: what an engine promises of them. One is kept under a lease like every entry, and is there for all processes at once;
 * beside that it is changed in place, attribute by attribute. Each call is one atomic step:
 *
 *  1. A save changes the attributes that it names and no other, all of them or none.
 *  2. What was destroyed, or whose lease has ended, stays so: only a save that says that it is new makes one.
 *  3. A save that names the versions on which it stands is refused as a whole if one of these attributes has been changed since.
 *  4. A lock is one holder's: who asks meanwhile stands in line, and what others save is refused. It ends with the holder's save, touch or
 *     release, with the session, at its time, and when its process is gone; then the next in line has it, without asking again.
 *  5. The lease ends exactly, and whoever asked to be told of it (notify, on `ended`) is told so within a second.
 */

/** The kind of these entries, and the field by which they are found. */
export const SESSION = 'takespace.Session'
export const OWNER = 'owner'

/** An attribute as it is stored: opaque text, never empty. */
export interface Attribute {
  readonly text: string
  /** Changes with each save of this attribute, and is never used twice in one session. */
  readonly version: string
  /** Of its text, where that is known. */
  readonly bytes?: number
}

export interface LoadedSession {
  /** For whoever has loaded it to keep and to change. */
  readonly attributes: Map<string, Attribute>
  /** Changes with each save. */
  readonly version: string
  /** Whose it is, as it was saved; '' = nobody's. */
  readonly owner: string
  /** Milliseconds that its lease had still to run; Infinity = for ever. */
  readonly remainingMs: number
  /** The lock that it was loaded under; '' = none. */
  readonly lock: string
}

export interface LockTerms {
  /** It ends so long after it was given. */
  readonly lockMs: number
  /** So long a load stands in line for it. */
  readonly waitMs: number
}

export interface SessionChange {
  /** From now; Infinity = for ever. */
  readonly leaseMs: number
  /** It is made, or made anew with these attributes alone; else it is changed, if it is there. */
  readonly isNew: boolean
  readonly set: readonly (readonly [name: string, text: string])[]
  readonly removed: readonly string[]
  /** The versions on which it stands, of the attributes that it names; of one that is not here there was none. undefined: any will do. */
  readonly versions?: ReadonlyMap<string, string> | undefined
  /** What was in it when it was loaded or last saved, if that is known: where little of it stays as it was, all of it is written at once. */
  readonly base?: Pick<LoadedSession, 'attributes' | 'version' | 'owner'> | undefined
  /** undefined: as it was; of one that is made, nobody's. */
  readonly owner?: string | undefined
  /** Ends with this; '' = none. */
  readonly lock: string
  /** Names and texts together may have so many bytes. */
  readonly maxBytes: number
}

export interface SavedSession {
  /** Of the session, and of each attribute that was set. */
  readonly version: string
  /** Whether there is nothing in it but what the saver knows of: its base with what it changed. */
  readonly isKnown: boolean
}

export interface SessionPage {
  readonly ids: readonly string[]
  /** Where to go on; null: that was all. */
  readonly next: string | null
}

export interface SessionEntries {
  /**
   * null: it is not there. With terms it is locked from then on.
   * @throws SpaceError SESSION_LOCKED when the wait is over
   */
  load(id: string, terms?: LockTerms): Promise<LoadedSession | null>
  /** Once more, under a lock that is had already. */
  reload(id: string, lock: string): Promise<LoadedSession | null>
  /**
   * null: it is not there, and nothing was saved.
   * @throws SpaceError SESSION_CONFLICT, SESSION_LOCKED, SESSION_TOO_LARGE, CLAIM_LOST (the lock is over), SPACE_FULL: nothing was saved
   */
  save(id: string, change: SessionChange): Promise<SavedSession | null>
  /** Its lease ends so long from now; the lock ends with this. false: it is not there. */
  touch(id: string, leaseMs: number, lock: string): Promise<boolean>
  /** false: it was not there. */
  destroy(id: string): Promise<boolean>
  /** The lock is given back. */
  release(lock: string): Promise<void>
  /** How many there are, without looking at them; of one owner, or of all. */
  count(owner?: string): Promise<number>
  /** Page by page; one that is there throughout comes at least once. */
  list(owner: string | undefined, after: string | null): Promise<SessionPage>
}

/** Why a session has ended. */
export type SessionEnd = 'destroyed' | 'expired'

/** The body of the event that tells of it. */
export const endedBody = (reason: SessionEnd, owner: string): Buffer =>
  Buffer.from(`${reason} ${encodeURIComponent(owner)}`)

export function endedOf(body: Buffer): { reason: SessionEnd; owner: string } {
  const [reason, owner = ''] = body.toString('latin1').split(' ')
  return { reason: reason === 'expired' ? 'expired' : 'destroyed', owner: decodeURIComponent(owner) }
}

/** The token of an owner, for patterns; by it the space keeps who has which sessions. */
export const ownerToken = (owner: string): string => `${OWNER}=${encodeURIComponent(owner)}`

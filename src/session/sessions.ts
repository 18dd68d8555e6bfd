/**
 * Sessions in a space: loaded with a snapshot, saved as the difference to it. The stores of the frameworks are built on
 * this.
 */

import type { LoadedSession, SessionEntries } from '../engine/sessions.js'
import { SpaceError } from '../errors.js'
import type { Registration } from '../space/notify.js'
import { type EndListener, type NotifyEndOptions, notifyEnds } from './ended.js'
import { entryIdOf } from './id.js'
import { LONGEST_USER, type SessionOptions, type SessionTerms, termsOf } from './options.js'
import { attributesOf, SessionSnapshot } from './snapshot.js'

export interface Loaded {
  readonly attributes: Record<string, unknown>
  readonly snapshot: SessionSnapshot
  /** Infinity = for ever. */
  readonly remainingMs: number
}

export class Sessions {
  readonly terms: SessionTerms
  readonly #entries: SessionEntries

  /** `what` is the name of the store in error messages. */
  constructor(options: SessionOptions, what: string) {
    this.terms = termsOf(options, what)
    this.#entries = this.terms.space.engine.sessions
  }

  /** Returns null if there is no such session. Under the policy `lock` the session is locked for this request. */
  load(sessionId: string): Promise<Loaded | null> {
    const { policy, lockMs, waitMs } = this.terms
    const id = entryIdOf(sessionId)
    const loaded = this.#entries.load(id, policy === 'lock' ? { lockMs, waitMs } : undefined)
    return loaded.then((found) => this.#read(id, found))
  }

  /** Loads again, for a request that may hold the lock. */
  async reload(sessionId: string, { lock }: SessionSnapshot): Promise<Loaded | null> {
    if (lock === '') return this.load(sessionId)
    const id = entryIdOf(sessionId)
    return this.#read(id, await this.#entries.reload(id, lock))
  }

  /** Returns the attributes, without a lock. */
  async look(id: string): Promise<Record<string, unknown> | null> {
    const loaded = await this.#entries.load(id)
    return loaded && attributesOf(new SessionSnapshot(loaded))
  }

  /**
   * Saves what differs from the snapshot. @param texts the new attributes as JSON. Returns false if the session has
   * ended meanwhile.
   */
  save(
    sessionId: string,
    attributes: object,
    texts: ReadonlyMap<string, string>,
    leaseMs: number,
    snapshot: SessionSnapshot,
  ): Promise<boolean> {
    return this.#inTurn(snapshot, () => this.#save(sessionId, attributes, texts, leaseMs, snapshot))
  }

  /** Returns false if the session has ended. */
  touch(sessionId: string, leaseMs: number, snapshot: SessionSnapshot | undefined): Promise<boolean> {
    return this.#inTurn(snapshot, async () => {
      if (!snapshot) return this.#entries.touch(entryIdOf(sessionId), leaseMs, '')
      snapshot.id ??= entryIdOf(sessionId)
      const isThere = await this.#entries.touch(snapshot.id, leaseMs, snapshot.lock, snapshot)
      snapshot.lock = ''
      return isThere
    })
  }

  async destroy(sessionId: string): Promise<boolean> {
    return this.#entries.destroy(entryIdOf(sessionId))
  }

  /** Releases the lock, if the request still holds it. */
  release(snapshot: SessionSnapshot): Promise<void> {
    return this.#inTurn(snapshot, async () => {
      const { lock } = snapshot
      snapshot.lock = ''
      if (lock !== '') await this.#entries.release(lock)
    })
  }

  async count(user?: string | number): Promise<number> {
    return this.#entries.count(user === undefined ? undefined : ownerOf(user))
  }

  async *ids(user?: string | number): AsyncGenerator<string> {
    const owner = user === undefined ? undefined : ownerOf(user)
    const seen = new Set<string>()
    for (let after: string | null = null; ; ) {
      const { ids, next } = await this.#entries.list(owner, after)
      for (const id of ids) {
        if (seen.has(id)) continue
        seen.add(id)
        yield id
      }
      if (next === null) return
      after = next
    }
  }

  async destroyAll(user: string | number | undefined, except?: string): Promise<number> {
    const spared = except === undefined ? undefined : entryIdOf(except)
    const ends: Promise<boolean>[] = []
    for await (const id of this.ids(user)) if (id !== spared) ends.push(this.#entries.destroy(id))
    return (await Promise.all(ends)).filter((ended) => ended).length
  }

  notify(listener: EndListener, options: NotifyEndOptions = {}): Promise<Registration> {
    const user = options?.user
    return notifyEnds(this.terms.space, listener, user === undefined ? undefined : ownerOf(user), options)
  }

  #read(id: string, loaded: LoadedSession | null): Loaded | null {
    if (!loaded) return null
    const snapshot = new SessionSnapshot(loaded)
    snapshot.id = id
    try {
      return { attributes: attributesOf(snapshot), snapshot, remainingMs: loaded.remainingMs }
    } catch (cause) {
      throw new SpaceError('INVALID_ENTRY', 'A stored session cannot be read.', { cause })
    }
  }

  async #save(
    sessionId: string,
    attributes: object,
    texts: ReadonlyMap<string, string>,
    leaseMs: number,
    snapshot: SessionSnapshot,
  ): Promise<boolean> {
    const { policy, maxBytes, userOf } = this.terms
    const { lock, isKnown, owner: owned } = snapshot
    const { set, removed } = snapshot.differences(texts)
    const owner = ownerOf(userOf(attributes))
    snapshot.id ??= entryIdOf(sessionId)
    const saved = await this.#entries.save(snapshot.id, {
      leaseMs,
      isNew: !isKnown,
      set,
      removed,
      versions: isKnown && policy !== 'merge' ? snapshot.versions : undefined,
      base: snapshot.version === '' ? undefined : snapshot,
      owner: owner === owned ? undefined : owner,
      lock,
      maxBytes,
    })
    snapshot.lock = ''
    snapshot.isKnown = true
    if (!saved) return false
    snapshot.owner = owner
    snapshot.saved(set, removed, saved)
    return true
  }

  #inTurn<T>(snapshot: SessionSnapshot | undefined, run: () => Promise<T>): Promise<T> {
    if (!snapshot) return run()
    const turn = snapshot.busy ? snapshot.busy.then(run, run) : run()
    snapshot.busy = turn
    return turn
  }
}

/** @throws SpaceError INVALID_ARGUMENT */
function ownerOf(user: unknown): string {
  if (user === undefined || user === null) return ''
  const text = typeof user === 'number' ? String(user) : user
  if (typeof text !== 'string' || text.length > LONGEST_USER || !text.isWellFormed()) {
    throw new SpaceError(
      'INVALID_ARGUMENT',
      `A user must be a string of at most ${LONGEST_USER} characters, or a number.`,
    )
  }
  return text
}

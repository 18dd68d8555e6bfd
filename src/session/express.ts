/** SpaceSessionStore: a Store of express-session, with sessions in a space. */
import { EventEmitter } from 'node:events'
import { createRequire } from 'node:module'
import { wallMs } from '../clock.js'
import type { Registration } from '../space/notify.js'
import { cookieOf, cookieText, maxAgeOf, type SessionCookie } from './cookie-of.js'
import type { EndListener, NotifyEndOptions } from './ended.js'
import { entryIdOf } from './id.js'
import { exceptIn, type SessionOptions } from './options.js'
import { type Loaded, Sessions } from './sessions.js'
import { SessionSnapshot, textsOf } from './snapshot.js'

/** A session as its store sees it: attributes, and a cookie with its life. */
export interface StoredSession {
  cookie: SessionCookie
  [attribute: string]: unknown
}

declare global {
  // The types of Express and express-session are merged into these.
  namespace Express {
    interface Request {}
  }
}

/**
 * The session of express-session with the program's additions to `SessionData`; any, without the types of
 * express-session.
 */
// biome-ignore lint/suspicious/noExplicitAny: without these types nothing is known of a session
export type ExpressSessionData = Express.Request extends { session: infer S } ? S : any

/** The part of the request that is used here. */
interface ExpressRequest {
  sessionID?: string | undefined
  session?: unknown
  res?: EventEmitter | undefined
  socket?: EventEmitter | undefined
}

// biome-ignore lint/suspicious/noExplicitAny: what a session holds is the app's to say, and each framework has another type for it
type Callback<_T> = (error: any, result?: any) => void

interface ExpressSession {
  Store: { prototype: { createSession(req: unknown, session: unknown): object } }
}
let expressSession: ExpressSession | undefined
/** The app's express-session, loaded with its first session: other frameworks do not need it. */
const ofExpressSession = (): ExpressSession['Store']['prototype'] => {
  expressSession ??= createRequire(import.meta.url)('express-session') as ExpressSession
  return expressSession.Store.prototype
}

/**
 * A store for express-session. The life of a session is the `maxAge` of its cookie. A request saves only the attributes
 * that it changed, so concurrent requests of one session lose nothing; `policy` decides if they change the same
 * attribute.
 *
 * Each method calls back, and also returns a promise.
 *
 * @throws SpaceError INVALID_ARGUMENT; calls fail with SPACE_UNREACHABLE (503) while the space is away, never with an
 *   empty session
 * @example
 * const store = new SpaceSessionStore({ space, userOf: (session) => session.userId })
 * app.use(session({ store, secret, resave: false, saveUninitialized: false, cookie: { maxAge: 30 * 60_000 } }))
 */
export class SpaceSessionStore extends EventEmitter {
  /** express-session sets it. */
  // biome-ignore lint/suspicious/noExplicitAny: express-session's own request
  declare generate: (req: any) => void
  readonly #sessions: Sessions
  /** The snapshot of each session that was loaded or saved here. */
  readonly #snapshots = new WeakMap<object, SessionSnapshot>()

  constructor(options: SessionOptions<ExpressSessionData>) {
    super()
    this.#sessions = new Sessions(options, new.target.name)
  }

  /**
   * Returns the session, or null. With the policy `lock` it is locked until it is set, touched or destroyed, or its
   * response is over.
   */
  get(sessionId: string, callback?: Callback<StoredSession | null>): Promise<StoredSession | null> {
    const found = this.#sessions.load(sessionId).then((loaded) => this.keep(loaded))
    return calledBack(found, callback)
  }

  /**
   * Saves the changed attributes; all of them if the session was not loaded. Does not revive a session that has ended
   * meanwhile.
   */
  set(sessionId: string, session: object, callback?: Callback<void>): Promise<void> {
    return calledBack(this.#set(sessionId, session as StoredSession), callback)
  }

  /** Renews its lease and changes nothing else. Does not revive a session that has ended. */
  touch(sessionId: string, session: object, callback?: Callback<void>): Promise<void> {
    const touched = async (): Promise<void> => {
      await this.#sessions.touch(sessionId, this.#leaseOf(session as StoredSession), this.snapshotOf(session))
    }
    return calledBack(touched(), callback)
  }

  /** Ends the session, also for requests that are under way. */
  destroy(sessionId: string, callback?: Callback<void>): Promise<void> {
    return calledBack(
      this.#sessions.destroy(sessionId).then(() => {}),
      callback,
    )
  }

  /** Returns all sessions, in no order. Their ids are known to their browsers alone. */
  all(callback?: Callback<StoredSession[]>): Promise<StoredSession[]> {
    const all = async (): Promise<StoredSession[]> => {
      const looks: Promise<Record<string, unknown> | null>[] = []
      for await (const id of this.#sessions.ids()) looks.push(this.#sessions.look(id))
      return (await Promise.all(looks)).filter((found) => found !== null) as StoredSession[]
    }
    return calledBack(all(), callback)
  }

  /** Returns the number of sessions, without loading them. */
  length(callback?: Callback<number>): Promise<number> {
    return calledBack(this.#sessions.count(), callback)
  }

  /** Ends all sessions of the space. */
  clear(callback?: Callback<void>): Promise<void> {
    return calledBack(
      this.#sessions.destroyAll(undefined).then(() => {}),
      callback,
    )
  }

  /** Returns the number of sessions, of all users or of one (`userOf`). */
  count(user?: string | number): Promise<number> {
    return this.#sessions.count(user)
  }

  /**
   * Ends all sessions of a user (`userOf`): logs out everywhere.
   *
   * @param options.except an id to keep: that of the current session
   * @returns the number of sessions that were ended
   * @example await store.destroyAll(user.id, { except: req.sessionID })
   */
  async destroyAll(user: string | number, options: { except?: string } = {}): Promise<number> {
    return this.#sessions.destroyAll(user, exceptIn(options))
  }

  /**
   * Calls a listener for each session that ends from now on, in any process.
   *
   * @example const registration = await store.notify(({ id, user, reason }) => closeSockets(id))
   */
  notify(listener: EndListener, options?: NotifyEndOptions): Promise<Registration> {
    return this.#sessions.notify(listener, options)
  }

  /** With the policy `lock`: releases the session, for requests whose response the store does not see. */
  async release(session: object | null | undefined): Promise<void> {
    const snapshot = session ? this.snapshotOf(session) : undefined
    if (snapshot) await this.#sessions.release(snapshot)
  }

  /** Returns the hash of the id that listeners are given. */
  idOf(sessionId: string): string {
    return entryIdOf(sessionId)
  }

  /** Destroys the session of a request and gives it a new one: to be called at login. */
  regenerate(req: ExpressRequest, callback: Callback<void>): void {
    void this.destroy(req.sessionID as string, (error) => {
      this.generate(req)
      callback(error)
    })
  }

  /** Loads a Session outside of a request. */
  load(sessionId: string, callback: Callback<object>): void {
    void this.get(sessionId, (error, found) => {
      if (error) callback(error)
      else if (!found) callback(null)
      else callback(null, this.createSession({ sessionID: sessionId, sessionStore: this } as ExpressRequest, found))
    })
  }

  /** Returns the Session of a request, with its snapshot. */
  // biome-ignore lint/suspicious/noExplicitAny: express-session's Session, whose types need not be there
  createSession(req: ExpressRequest, loaded: object): any {
    const snapshot = this.#snapshots.get(loaded)
    const session = ofExpressSession().createSession.call(this, req, loaded)
    if (!snapshot) return session
    this.#snapshots.set(session, snapshot)
    if (snapshot.lock === '') return session
    // A reload by the holder of the lock does not wait for it.
    const reload = (callback: Callback<void>): object => {
      const again = this.#sessions.reload(req.sessionID as string, snapshot).then((found) => {
        if (!found) throw new Error('failed to load session')
        this.createSession(req, this.keep(found) as object)
      })
      void calledBack(again, callback)
      return session
    }
    Object.defineProperty(session, 'reload', { configurable: true, enumerable: false, writable: true, value: reload })
    const over = req.res ?? req.socket
    over?.once('close', () => void this.#sessions.release(snapshot).catch(() => {}))
    return session
  }

  /** @internal Returns the loaded session and records its snapshot. */
  protected keep(loaded: Loaded | null): StoredSession | null {
    if (!loaded) return null
    const { attributes, remainingMs, snapshot } = loaded
    attributes.cookie = cookieOf(attributes.cookie, remainingMs, wallMs())
    this.#snapshots.set(attributes, snapshot)
    return attributes as StoredSession
  }

  /** @internal */
  protected snapshotOf(session: object): SessionSnapshot | undefined {
    return this.#snapshots.get(session)
  }

  /** @internal Returns the attributes to save, without the cookie. */
  protected attributesOf(session: StoredSession): object {
    return session
  }

  async #set(sessionId: string, session: StoredSession): Promise<void> {
    const leaseMs = this.#leaseOf(session)
    if (leaseMs <= 0) {
      await this.#sessions.destroy(sessionId)
      return
    }
    let snapshot = this.snapshotOf(session)
    if (!snapshot) {
      snapshot = new SessionSnapshot()
      // The next save is a difference to this one.
      this.#snapshots.set(session, snapshot)
    }
    const { cookie = {}, ...attributes } = this.attributesOf(session) as StoredSession
    const texts = textsOf(attributes, snapshot)
    texts.set('cookie', cookieText(cookie, snapshot.textOf('cookie')))
    await this.#sessions.save(sessionId, attributes, texts, leaseMs, snapshot)
  }

  #leaseOf({ cookie = {} }: StoredSession): number {
    return maxAgeOf(cookie, wallMs()) ?? this.#sessions.terms.ttlMs
  }
}

/** Calls back in a later turn, so that errors of the callback do not reject this promise. */
function calledBack<T>(promise: Promise<T>, callback: Callback<T> | undefined): Promise<T> {
  if (callback) {
    promise.then(
      (result) => process.nextTick(callback, null, result),
      (error) => process.nextTick(callback, error),
    )
  }
  return promise
}

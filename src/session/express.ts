/** SpaceSessionStore: the Store of express-session, over sessions in a space. */
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

/** What a session has for its store: attributes, and a cookie that says how long it stays. */
export interface StoredSession {
  cookie: SessionCookie
  [attribute: string]: unknown
}

declare global {
  // The types of Express and express-session merge theirs into these.
  namespace Express {
    interface Request {}
  }
}

/** A session as express-session gives it, with what a program adds to its `SessionData`; anything without the types of express-session. */
// biome-ignore lint/suspicious/noExplicitAny: without these types nothing is known of a session
export type ExpressSessionData = Express.Request extends { session: infer S } ? S : any

/** As express-session gives it; only what is needed of it. */
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
/** The app's own, loaded when a session of it is first made: whoever uses another framework need not have it. */
const ofExpressSession = (): ExpressSession['Store']['prototype'] => {
  expressSession ??= createRequire(import.meta.url)('express-session') as ExpressSession
  return expressSession.Store.prototype
}

/**
 * A store for express-session. How long a session stays is its cookie's `maxAge`. Of each request only those attributes are saved that it
 * changed, so requests of one session lose nothing to each other; see `policy` for those that change the same one.
 *
 * Each method calls back, and also returns a promise.
 *
 * @throws SpaceError INVALID_ARGUMENT; calls fail with SPACE_UNREACHABLE (503) while the space is away, never with an empty session
 * @example
 * const store = new SpaceSessionStore({ space, userOf: (session) => session.userId })
 * app.use(session({ store, secret, resave: false, saveUninitialized: false, cookie: { maxAge: 30 * 60_000 } }))
 */
export class SpaceSessionStore extends EventEmitter {
  /** express-session sets it. */
  // biome-ignore lint/suspicious/noExplicitAny: express-session's own request
  declare generate: (req: any) => void
  readonly #sessions: Sessions
  /** Of each session that was loaded or saved here, what it was then. */
  readonly #snapshots = new WeakMap<object, SessionSnapshot>()

  constructor(options: SessionOptions<ExpressSessionData>) {
    super()
    this.#sessions = new Sessions(options, new.target.name)
  }

  /** The session, or null if there is none. With the policy `lock` it is locked until it is set, touched or destroyed, or its response is over. */
  get(sessionId: string, callback?: Callback<StoredSession | null>): Promise<StoredSession | null> {
    const found = this.#sessions.load(sessionId).then((loaded) => this.keep(loaded))
    return calledBack(found, callback)
  }

  /** Saves what is other than it was loaded; a session that was not loaded, as a whole. One that has ended meanwhile stays so. */
  set(sessionId: string, session: object, callback?: Callback<void>): Promise<void> {
    return calledBack(this.#set(sessionId, session as StoredSession), callback)
  }

  /** Renews its lease, and changes nothing else. One that has ended stays so. */
  touch(sessionId: string, session: object, callback?: Callback<void>): Promise<void> {
    const touched = async (): Promise<void> => {
      await this.#sessions.touch(sessionId, this.#leaseOf(session as StoredSession), this.snapshotOf(session))
    }
    return calledBack(touched(), callback)
  }

  /** Ends it for all who have it, also for requests that are under way. */
  destroy(sessionId: string, callback?: Callback<void>): Promise<void> {
    return calledBack(
      this.#sessions.destroy(sessionId).then(() => {}),
      callback,
    )
  }

  /** All sessions, in no order. Their ids are known to their browsers alone. */
  all(callback?: Callback<StoredSession[]>): Promise<StoredSession[]> {
    const all = async (): Promise<StoredSession[]> => {
      const looks: Promise<Record<string, unknown> | null>[] = []
      for await (const id of this.#sessions.ids()) looks.push(this.#sessions.look(id))
      return (await Promise.all(looks)).filter((found) => found !== null) as StoredSession[]
    }
    return calledBack(all(), callback)
  }

  /** How many there are. The space counts; nobody looks at them. */
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

  /** How many sessions there are, or this user has (`userOf`). */
  count(user?: string | number): Promise<number> {
    return this.#sessions.count(user)
  }

  /**
   * Ends all sessions of this user (`userOf`): logs out everywhere.
   *
   * @param options.except an id that stays: the one with which the user asks for it
   * @returns how many have ended
   * @example await store.destroyAll(user.id, { except: req.sessionID })
   */
  async destroyAll(user: string | number, options: { except?: string } = {}): Promise<number> {
    return this.#sessions.destroyAll(user, exceptIn(options))
  }

  /**
   * Has a listener told of each session that ends from now on, whatever process ended it.
   *
   * @example const registration = await store.notify(({ id, user, reason }) => closeSockets(id))
   */
  notify(listener: EndListener, options?: NotifyEndOptions): Promise<Registration> {
    return this.#sessions.notify(listener, options)
  }

  /** With the policy `lock`: its request is over, and the next one may have it. Whoever has no response to tell of that says so. */
  async release(session: object | null | undefined): Promise<void> {
    const snapshot = session ? this.snapshotOf(session) : undefined
    if (snapshot) await this.#sessions.release(snapshot)
  }

  /** By what name listeners hear of it: a hash of its id. */
  idOf(sessionId: string): string {
    return entryIdOf(sessionId)
  }

  /** A new session in the place of the request's, whose old one is destroyed: to be called at login. */
  regenerate(req: ExpressRequest, callback: Callback<void>): void {
    void this.destroy(req.sessionID as string, (error) => {
      this.generate(req)
      callback(error)
    })
  }

  /** As a Session, outside of a request. */
  load(sessionId: string, callback: Callback<object>): void {
    void this.get(sessionId, (error, found) => {
      if (error) callback(error)
      else if (!found) callback(null)
      else callback(null, this.createSession({ sessionID: sessionId, sessionStore: this } as ExpressRequest, found))
    })
  }

  /** The Session of a request from what was loaded; it remembers what that was. */
  // biome-ignore lint/suspicious/noExplicitAny: express-session's Session, whose types need not be there
  createSession(req: ExpressRequest, loaded: object): any {
    const snapshot = this.#snapshots.get(loaded)
    const session = ofExpressSession().createSession.call(this, req, loaded)
    if (!snapshot) return session
    this.#snapshots.set(session, snapshot)
    if (snapshot.lock === '') return session
    // Asked for again by whoever has it, it is not waited for.
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

  /** @internal What was loaded, with its snapshot beside it. */
  protected keep(loaded: Loaded | null): StoredSession | null {
    if (!loaded) return null
    const { attributes, remainingMs, snapshot } = loaded
    const session = { ...attributes, cookie: cookieOf(attributes.cookie, remainingMs, wallMs()) }
    this.#snapshots.set(session, snapshot)
    return session
  }

  /** @internal */
  protected snapshotOf(session: object): SessionSnapshot | undefined {
    return this.#snapshots.get(session)
  }

  /** @internal The attributes that are saved, beside the cookie. */
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
      // From now on it is known what it was: a second save is a difference.
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

/** Calls back in a turn of its own, so that what the callback throws is the app's and not this promise's. */
function calledBack<T>(promise: Promise<T>, callback: Callback<T> | undefined): Promise<T> {
  if (callback) {
    promise.then(
      (result) => process.nextTick(callback, null, result),
      (error) => process.nextTick(callback, error),
    )
  }
  return promise
}

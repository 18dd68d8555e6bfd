/** KoaSessionStore: an external store of koa-session, with sessions in a space. */
import type { EventEmitter } from 'node:events'
import { wallMs } from '../clock.js'
import type { Registration } from '../space/notify.js'
import type { EndListener, NotifyEndOptions } from './ended.js'
import { entryIdOf } from './id.js'
import { exceptIn, type SessionOptions } from './options.js'
import { Sessions } from './sessions.js'
import { SessionSnapshot, textsOf } from './snapshot.js'

type Attributes = Record<string, unknown>

/** The part of koa-session's arguments that is used here. */
interface KoaSessionCall {
  ctx: object
}

/** koa-session asks for sessions that live this much longer than their cookie, in ms. */
const LONGER_MS = 10_000

/**
 * An external store for koa-session. The life of a session is its `maxAge`. A request saves only the attributes that it
 * changed.
 *
 * @example app.use(koaSession({ store: new KoaSessionStore({ space }), genid: newSessionId, maxAge: 30 * 60_000, rolling: true }, app))
 */
export class KoaSessionStore {
  readonly #sessions: Sessions
  /** The snapshot of each request's session, by its context. */
  readonly #snapshots = new WeakMap<object, { key: string; snapshot: SessionSnapshot }>()

  constructor(options: SessionOptions) {
    this.#sessions = new Sessions(options, 'KoaSessionStore')
  }

  async get(
    key: string,
    _maxAge: number | 'session' | undefined,
    { ctx }: KoaSessionCall,
  ): Promise<Attributes | undefined> {
    const loaded = await this.#sessions.load(key)
    if (!loaded) return undefined
    const { attributes, snapshot, remainingMs } = loaded
    this.#snapshots.set(ctx, { key, snapshot })
    if (snapshot.lock !== '') {
      const { res } = ctx as { res?: EventEmitter }
      res?.once('close', () => void this.#sessions.release(snapshot).catch(() => {}))
    }
    // The lease says when the session ends.
    if (typeof attributes._maxAge === 'number') attributes._expire = wallMs() + remainingMs - LONGER_MS
    return attributes
  }

  async set(
    key: string,
    session: Attributes,
    maxAge: number | 'session' | undefined,
    { ctx }: KoaSessionCall,
  ): Promise<void> {
    const { _expire, ...attributes } = session
    const leaseMs = typeof maxAge === 'number' ? maxAge : this.#sessions.terms.ttlMs
    const before = this.#snapshots.get(ctx)
    const snapshot = before?.key === key ? before.snapshot : new SessionSnapshot()
    this.#snapshots.set(ctx, { key, snapshot })
    await this.#sessions.save(key, attributes, textsOf(attributes, snapshot), leaseMs, snapshot)
  }

  async destroy(key: string): Promise<void> {
    await this.#sessions.destroy(key)
  }

  /** Returns the number of sessions, of all users or of one (`userOf`), without loading them. */
  count(user?: string | number): Promise<number> {
    return this.#sessions.count(user)
  }

  /** Ends all sessions of a user, except that of the key `except`. @returns the number of sessions that were ended */
  async destroyAll(user: string | number, options: { except?: string } = {}): Promise<number> {
    return this.#sessions.destroyAll(user, exceptIn(options))
  }

  /** Calls a listener for each session that ends from now on, in any process. */
  notify(listener: EndListener, options?: NotifyEndOptions): Promise<Registration> {
    return this.#sessions.notify(listener, options)
  }

  /** Returns the hash of the key that listeners are given. */
  idOf(key: string): string {
    return entryIdOf(key)
  }
}

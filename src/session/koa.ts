/** KoaSessionStore: an external store of koa-session, over sessions in a space. */
import type { EventEmitter } from 'node:events'
import { wallMs } from '../clock.js'
import type { Registration } from '../space/notify.js'
import type { EndListener, NotifyEndOptions } from './ended.js'
import { entryIdOf } from './id.js'
import { exceptIn, type SessionOptions } from './options.js'
import { Sessions } from './sessions.js'
import { SessionSnapshot, textsOf } from './snapshot.js'

type Attributes = Record<string, unknown>

/** What koa-session says with each call; only what is needed of it. */
interface KoaSessionCall {
  ctx: object
}

/** koa-session asks its store to keep a session for so much longer than its cookie, in ms. */
const LONGER_MS = 10_000

/**
 * An external store for koa-session. How long a session stays is its `maxAge`. Of each request only those attributes are saved that it
 * changed.
 *
 * @example app.use(koaSession({ store: new KoaSessionStore({ space }), genid: newSessionId, maxAge: 30 * 60_000, rolling: true }, app))
 */
export class KoaSessionStore {
  readonly #sessions: Sessions
  /** Of each request's session, by its context: what it was. */
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
    // When it ends is for its lease alone to say.
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

  /** How many sessions there are, or this user has (`userOf`). The space counts; nobody looks at them. */
  count(user?: string | number): Promise<number> {
    return this.#sessions.count(user)
  }

  /** Ends all sessions of this user, but for the one of the key `except`. @returns how many have ended */
  async destroyAll(user: string | number, options: { except?: string } = {}): Promise<number> {
    return this.#sessions.destroyAll(user, exceptIn(options))
  }

  /** Has a listener told of each session that ends from now on, whatever process ended it. */
  notify(listener: EndListener, options?: NotifyEndOptions): Promise<Registration> {
    return this.#sessions.notify(listener, options)
  }

  /** By what name listeners hear of it: a hash of its key. */
  idOf(key: string): string {
    return entryIdOf(key)
  }
}

/** Sessions of fetch apps and Hono: loaded before the handler, read with session(request), saved with the response. */

import { onlyKnown } from '../errors/unknown-option.js'
import { isSpaceError, SpaceError } from '../errors.js'
import { SessionCookieJar, type SessionCookieOptions } from './cookie.js'
import { SpaceSessionStore } from './express.js'
import { newSessionId } from './id.js'
import { MOVED_SESSION_OPTIONS, SESSION_OPTIONS, type SessionOptions } from './options.js'
import { Sessions } from './sessions.js'
import { SessionSnapshot, textsOf } from './snapshot.js'

/** @typeParam D the attributes of a session, the parameter of `userOf`. Default: any. */
// biome-ignore lint/suspicious/noExplicitAny: the attributes are the app's own
export interface FetchSessionOptions<D = any> extends SessionOptions<D> {
  /**
   * The secret that signs the cookie, at least 16 characters. Of several the first one signs and all are accepted: put
   * a new one in front to rotate.
   */
  readonly secret: string | readonly string[]
  readonly cookie?: SessionCookieOptions | undefined
}

/**
 * The session of one request. Changes are saved with the response; if that fails, the response is an error.
 *
 * @typeParam D the attributes and their types, as in `session<D>(request)`. Default: any names, values of type unknown.
 */
// biome-ignore lint/suspicious/noExplicitAny: an interface has no index signature, and fits nothing narrower
export interface FetchSession<D extends Record<string, any> = Record<string, unknown>> {
  /** True if the session is not stored yet. */
  readonly isNew: boolean
  /** Returns undefined for an attribute that is not set. */
  get<T = never, N extends keyof D & string = keyof D & string>(name: N): ([T] extends [never] ? D[N] : T) | undefined
  /**
   * Sets a value that JSON can express; `undefined` deletes the attribute. Values that `get` returned may also be
   * changed in place.
   */
  set<N extends keyof D & string>(name: N, value: D[N] | undefined): void
  delete(name: keyof D & string): void
  /**
   * Gives the session another id with this response and ends the old one: to be called at login and at each change of
   * rights.
   */
  regenerate(): void
  /** Ends the session with this response, for all requests. Attributes that are set afterwards begin a new one. */
  destroy(): void
}

type Fetch<A extends unknown[]> = (request: Request, ...more: A) => Response | Promise<Response>

/** The part of Hono's Context that is used here. */
interface HonoContext {
  readonly req: { readonly raw: Request }
  res: Response
}

const OPTIONS: ReadonlySet<string> = new Set([...SESSION_OPTIONS, 'secret', 'cookie'])

const current = new WeakMap<Request, OpenSession>()

/**
 * Returns the session of a request that came through `fetchSessions(…)`.
 *
 * @throws SpaceError INVALID_ARGUMENT if it did not
 * @example
 * const cart = session(request).get<string[]>('cart') ?? []
 * session(request).set('cart', [...cart, 'tea'])
 *
 * interface Attributes { user: string; cart: string[] }
 * session<Attributes>(request).get('cart') // string[] | undefined
 */
// biome-ignore lint/suspicious/noExplicitAny: as of FetchSession
export function session<D extends Record<string, any> = Record<string, unknown>>(request: Request): FetchSession<D> {
  const open = current.get(request)
  if (!open) {
    throw new SpaceError(
      'INVALID_ARGUMENT',
      'This request has no session: wrap the app, see fetchSessions. In Hono: session(c.req.raw).',
    )
  }
  return open as FetchSession as FetchSession<D>
}

/** Sessions for an app: around its fetch function, or as Hono middleware. */
export interface FetchSessions {
  /** @example export default { fetch: sessions.wrap(app.fetch) } */
  wrap<A extends unknown[]>(handler: Fetch<A>): (request: Request, ...more: A) => Promise<Response>
  /** @example app.use(sessions.hono) */
  readonly hono: (c: HonoContext, next: () => Promise<void>) => Promise<Response | undefined>
  /** For `count`, `destroyAll`, `notify`. */
  readonly store: Pick<SpaceSessionStore, 'count' | 'destroyAll' | 'notify' | 'idOf' | 'length'>
}

/**
 * Creates sessions for fetch apps and Hono, with a signed cookie. While the space is away, a request with a session
 * gets 503, never an empty session.
 *
 * @throws SpaceError INVALID_ARGUMENT
 * @example
 * const sessions = fetchSessions({ space, secret: process.env.SECRET, cookie: { name: '__Host-session', maxAgeMs: 30 * 60_000 } })
 * app.use(sessions.hono)
 * app.post('/login', (c) => { session(c.req.raw).regenerate(); session(c.req.raw).set('user', 'ann'); return c.text('hello') })
 */
// biome-ignore lint/suspicious/noExplicitAny: the attributes are the app's own
export function fetchSessions<D = any>(options: FetchSessionOptions<D>): FetchSessions {
  const { secret, cookie, ...more } = onlyKnown('fetchSessions', options, OPTIONS, MOVED_SESSION_OPTIONS)
  const jar = new SessionCookieJar(secret, cookie)
  const sessions = new Sessions(more, 'fetchSessions')

  /**
   * Returns the response of `answer` with the session's cookie, or an error if the session cannot be loaded or saved.
   */
  const around = async (request: Request, answer: () => Promise<Response>): Promise<Response> => {
    // Nested layers share one session.
    if (current.has(request)) return answer()
    const open = new OpenSession(sessions, jar, request.url.startsWith('https:'))
    try {
      await open.load(request.headers.get('cookie'))
    } catch (error) {
      return problemResponse(error)
    }
    current.set(request, open)
    try {
      const response = await answer()
      const field = await open.commit().catch((error) => problemResponse(error, response))
      return typeof field === 'object' ? field : withCookie(response, field)
    } finally {
      await open.end()
    }
  }

  return {
    wrap:
      (handler) =>
      (request, ...more) =>
        around(request, async () => handler(request, ...more)),
    hono: async (c, next) => {
      const response = await around(c.req.raw, async () => {
        await next()
        return c.res
      })
      // An error before the handler is the response; after it, Hono's response is replaced.
      if (!current.has(c.req.raw)) return response
      if (response !== c.res) c.res = response
      return undefined
    },
    store: new SpaceSessionStore(more as SessionOptions),
  }
}

class OpenSession implements FetchSession {
  readonly #sessions: Sessions
  readonly #jar: SessionCookieJar
  readonly #isTls: boolean
  #id: string | undefined
  #attributes: Record<string, unknown> = Object.create(null)
  #snapshot = new SessionSnapshot()
  /** The session that is destroyed with the response. */
  #ended: { id: string; snapshot: SessionSnapshot } | undefined
  #isOver = false

  constructor(sessions: Sessions, jar: SessionCookieJar, isTls: boolean) {
    this.#sessions = sessions
    this.#jar = jar
    this.#isTls = isTls
  }

  get isNew(): boolean {
    return !this.#snapshot.isKnown
  }

  async load(field: string | null): Promise<void> {
    const id = this.#jar.read(field)
    const loaded = id === undefined ? null : await this.#sessions.load(id)
    // An id unknown to the space is dropped: a new session gets an id of its own.
    if (!loaded) return
    this.#id = id
    this.#snapshot = loaded.snapshot
    Object.assign(this.#attributes, loaded.attributes)
  }

  get<T>(name: string): T | undefined {
    return this.#attributes[name] as T | undefined
  }

  set(name: string, value: unknown): void {
    this.#open()
    if (name === 'cookie') throw new SpaceError('INVALID_ARGUMENT', 'The attribute cookie is that of express-session.')
    this.#attributes[name] = value
  }

  delete(name: string): void {
    this.#open()
    delete this.#attributes[name]
  }

  regenerate(): void {
    this.#open()
    this.#leave()
  }

  destroy(): void {
    this.#open()
    this.#leave()
    this.#attributes = Object.create(null)
  }

  /** Saves the session. Returns a Set-Cookie field, if needed. */
  async commit(): Promise<string | undefined> {
    this.#isOver = true
    const leaseMs = this.#jar.maxAgeMs ?? this.#sessions.terms.ttlMs
    const texts = textsOf(this.#attributes, this.#snapshot)
    if (this.isNew && texts.size === 0) return this.#destroyEnded()
    const isNew = this.isNew
    const id = this.#id ?? newSessionId()
    const isThere =
      isNew || this.#isChanged(texts)
        ? await this.#sessions.save(id, this.#attributes, texts, leaseMs, this.#snapshot)
        : await this.#sessions.touch(id, leaseMs, this.#snapshot)
    await this.#destroyEnded()
    // Another request has ended it meanwhile.
    if (!isThere) return this.#jar.write(undefined, this.#isTls)
    return isNew || this.#jar.maxAgeMs !== undefined ? this.#jar.write(id, this.#isTls) : undefined
  }

  /** Called at the end of the request, successful or not. */
  async end(): Promise<void> {
    this.#isOver = true
    for (const snapshot of [this.#snapshot, this.#ended?.snapshot]) {
      if (snapshot && snapshot.lock !== '') await this.#sessions.release(snapshot).catch(() => {})
    }
  }

  #isChanged(texts: ReadonlyMap<string, string>): boolean {
    const { set, removed } = this.#snapshot.differences(texts)
    return set.length + removed.length > 0
  }

  #leave(): void {
    if (this.#id !== undefined) this.#ended = { id: this.#id, snapshot: this.#snapshot }
    this.#id = undefined
    this.#snapshot = new SessionSnapshot()
  }

  async #destroyEnded(): Promise<string | undefined> {
    const ended = this.#ended
    if (!ended) return undefined
    await this.#sessions.destroy(ended.id)
    ended.snapshot.lock = ''
    return this.#jar.write(undefined, this.#isTls)
  }

  #open(): void {
    if (this.#isOver)
      throw new SpaceError('INVALID_ARGUMENT', 'The response has gone out, and the session was saved with it.')
  }
}

/** Returns an error instead of the app's response, which is dropped. */
function problemResponse(error: unknown, dropped?: Response): Response {
  if (!isSpaceError(error)) throw error
  dropped?.body?.cancel().catch(() => {})
  const { status, code, message, retryable } = error
  const body = JSON.stringify({ status, code, detail: message })
  const headers = { 'content-type': 'application/problem+json', ...(retryable ? { 'retry-after': '1' } : {}) }
  return new Response(body, { status, headers })
}

function withCookie(response: Response, field: string | undefined): Response {
  if (field === undefined) return response
  try {
    response.headers.append('set-cookie', field)
    return response
  } catch {
    // The header fields of a redirect, or of a fetch response, are immutable.
    const changed = new Response(response.body, response)
    changed.headers.append('set-cookie', field)
    return changed
  }
}

/** Sessions of fetch apps and Hono: loaded before the handler, at hand as session(request), saved with the response. */

import { onlyKnown } from '../errors/unknown-option.js'
import { isSpaceError, SpaceError } from '../errors.js'
import { SessionCookieJar, type SessionCookieOptions } from './cookie.js'
import { SpaceSessionStore } from './express.js'
import { newSessionId } from './id.js'
import { MOVED_SESSION_OPTIONS, SESSION_OPTIONS, type SessionOptions } from './options.js'
import { Sessions } from './sessions.js'
import { SessionSnapshot, textsOf } from './snapshot.js'

/** @typeParam D the attributes of a session, as `userOf` is given them. Default: any. */
// biome-ignore lint/suspicious/noExplicitAny: the attributes are the app's own
export interface FetchSessionOptions<D = any> extends SessionOptions<D> {
  /** Signs the cookie: at least 16 characters. Of several the first one signs, all are accepted: put a new one in front to change it. */
  readonly secret: string | readonly string[]
  readonly cookie?: SessionCookieOptions | undefined
}

/**
 * The session of one request. What is changed becomes so with the response, or, if that cannot be, the response is an error.
 *
 * @typeParam D the attributes and their types, as in `session<D>(request)`. Default: any names, values of type unknown.
 */
// biome-ignore lint/suspicious/noExplicitAny: an interface has no index signature, and fits nothing narrower
export interface FetchSession<D extends Record<string, any> = Record<string, unknown>> {
  /** Whether nothing of it is stored. */
  readonly isNew: boolean
  /** Returns undefined for an attribute that is not set. */
  get<T = never, N extends keyof D & string = keyof D & string>(name: N): ([T] extends [never] ? D[N] : T) | undefined
  /** A value that JSON has a notation for; `undefined` deletes it. To change what stands inside of one that `get` gave is enough, too. */
  set<N extends keyof D & string>(name: N, value: D[N] | undefined): void
  delete(name: keyof D & string): void
  /** From this response on it has another id, and the old one is dead: to be called at login, and at each change of rights. */
  regenerate(): void
  /** It ends with this response, for all who have it. What is set after that begins another one. */
  destroy(): void
}

type Fetch<A extends unknown[]> = (request: Request, ...more: A) => Response | Promise<Response>

/** What is needed of Hono's Context. */
interface HonoContext {
  readonly req: { readonly raw: Request }
  res: Response
}

const OPTIONS: ReadonlySet<string> = new Set([...SESSION_OPTIONS, 'secret', 'cookie'])

const current = new WeakMap<Request, OpenSession>()

/**
 * The session of a request that came through `fetchSessions(…)`.
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

/** Sessions for an app: around its fetch function, or as a middleware of Hono. */
export interface FetchSessions {
  /** @example export default { fetch: sessions.wrap(app.fetch) } */
  wrap<A extends unknown[]>(handler: Fetch<A>): (request: Request, ...more: A) => Promise<Response>
  /** @example app.use(sessions.hono) */
  readonly hono: (c: HonoContext, next: () => Promise<void>) => Promise<Response | undefined>
  /** For `count`, `destroyAll`, `notify`. */
  readonly store: Pick<SpaceSessionStore, 'count' | 'destroyAll' | 'notify' | 'idOf' | 'length'>
}

/**
 * Sessions for fetch apps and Hono, by a signed cookie. While the space is away a request that brings a session is answered 503, and never
 * as if it had none.
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

  /** Answers what `answer` does, with the session's cookie; or the error because of which there is no session, or none that is saved. */
  const around = async (request: Request, answer: () => Promise<Response>): Promise<Response> => {
    // Two layers of an app that both ask for sessions have one.
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
      // Before the handler it is the answer; after it, Hono has one that is to be replaced.
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
  /** To be destroyed with the response: what it was before. */
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
    // An id that the space does not know is nobody's: a session that begins now has one of its own.
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

  /** @returns a Set-Cookie field, if there is something to say */
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
    // Ended by another request meanwhile.
    if (!isThere) return this.#jar.write(undefined, this.#isTls)
    return isNew || this.#jar.maxAgeMs !== undefined ? this.#jar.write(id, this.#isTls) : undefined
  }

  /** Its request is over, however that came. */
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

/** The answer in the place of one that would not be true; what the app had answered is dropped. */
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
    // The fields of a redirect, or of what fetch has answered, cannot be changed.
    const changed = new Response(response.body, response)
    changed.headers.append('set-cookie', field)
    return changed
  }
}

/** The signed cookie of a session's id. The only file that imports cookie and cookie-signature. */
import { parse, type SerializeOptions, serialize } from 'cookie'
import { sign, unsign } from 'cookie-signature'
import { onlyKnown } from '../errors/unknown-option.js'
import { SpaceError } from '../errors.js'

export interface SessionCookieOptions {
  /**
   * The name of the cookie. Default `session`. A name with the prefix `__Host-` makes browsers keep it for this host
   * alone and send it over TLS only: without `domain`, with the path `/`, always `Secure`.
   */
  readonly name?: string | undefined
  /**
   * Life of an unused session, in the browser and in the space, in ms. Default: until the browser is closed, and
   * `ttlMs` in the space.
   */
  readonly maxAgeMs?: number | undefined
  /** True sends the cookie over TLS only. Default: if the request came over TLS. */
  readonly secure?: boolean | undefined
  /** `lax` (default): not with requests from other sites, except links that a user follows. `none` needs `secure`. */
  readonly sameSite?: 'lax' | 'strict' | 'none' | undefined
  /** Default `/`. */
  readonly path?: string | undefined
  /** Default: the host of the response, without subdomains. */
  readonly domain?: string | undefined
}

const OPTIONS: ReadonlySet<string> = new Set(['name', 'maxAgeMs', 'secure', 'sameSite', 'path', 'domain'])

/** The form of ids made here or by another store. */
const ID = /^[\w-]{22,200}$/
/** The prefix of express-session, so that both kinds of apps can share a session. */
const SIGNED = 's:'
const HOST_PREFIX = '__Host-'

export class SessionCookieJar {
  readonly #name: string
  readonly #secrets: readonly string[]
  readonly #options: SessionCookieOptions

  /** @throws SpaceError INVALID_ARGUMENT */
  constructor(secret: string | readonly string[], options: SessionCookieOptions = {}) {
    onlyKnown('cookie', options, OPTIONS)
    const { name = 'session', path = '/', domain, secure, sameSite = 'lax', maxAgeMs } = options
    this.#secrets = [secret].flat()
    if (this.#secrets.length === 0 || this.#secrets.some((each) => typeof each !== 'string' || each.length < 16)) {
      invalidCookie('secret is a text of at least 16 characters, or several: the first one signs, all are accepted.')
    }
    if (!/^[\w!#$%&'*.^`|~+-]+$/.test(name)) invalidCookie('The name of a cookie is a token of RFC 6265.')
    if (name.startsWith(HOST_PREFIX) && (path !== '/' || domain !== undefined || secure === false)) {
      invalidCookie(`A cookie whose name begins with ${HOST_PREFIX} has the path / and no domain, and is secure.`)
    }
    if (!['lax', 'strict', 'none'].includes(sameSite)) invalidCookie('sameSite is lax, strict or none.')
    if (sameSite === 'none' && secure !== true)
      invalidCookie('A cookie with sameSite none is secure, or browsers drop it.')
    if (maxAgeMs !== undefined && !(Number.isFinite(maxAgeMs) && maxAgeMs >= 1_000)) {
      invalidCookie('maxAgeMs is a number of at least 1000.')
    }
    this.#name = name
    this.#options = { ...options, path, sameSite, ...(name.startsWith(HOST_PREFIX) ? { secure: true } : {}) }
  }

  get maxAgeMs(): number | undefined {
    return this.#options.maxAgeMs
  }

  /** Returns the id in a Cookie field, if its signature is valid. */
  read(field: string | null): string | undefined {
    const value = field === null ? undefined : parse(field)[this.#name]
    if (!value?.startsWith(SIGNED)) return undefined
    for (const secret of this.#secrets) {
      const id = unsign(value.slice(SIGNED.length), secret)
      if (id !== false) return ID.test(id) ? id : undefined
    }
    return undefined
  }

  /** Returns a Set-Cookie field; with undefined, one that removes the cookie. */
  write(id: string | undefined, isTls: boolean): string {
    const { path = '/', domain, secure = isTls, sameSite = 'lax', maxAgeMs } = this.#options
    const options: SerializeOptions = { httpOnly: true, sameSite, secure, path, ...(domain ? { domain } : {}) }
    if (id === undefined) return serialize(this.#name, '', { ...options, maxAge: 0 })
    const maxAge = maxAgeMs === undefined ? {} : { maxAge: Math.floor(maxAgeMs / 1_000) }
    return serialize(this.#name, SIGNED + sign(id, this.#secrets[0] as string), { ...options, ...maxAge })
  }
}

function invalidCookie(detail: string): never {
  throw new SpaceError('INVALID_ARGUMENT', detail)
}

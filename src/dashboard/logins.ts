/** Logins: who sends a request, sessions of browsers, and the slowing of failed tries. */
import { createHash, randomBytes } from 'node:crypto'
import { monotonicMs } from '../clock.js'
import { hasBearer } from './guard.js'
import type { CheckedDashboard } from './options.js'
import { Refused } from './refusal.js'
import { type DashboardUser, isRight, isUserRole } from './rights.js'
import { Users } from './users.js'

const SESSION_MS = 12 * 3_600_000
const IDLE_MS = 3_600_000
const MOST_SESSIONS = 1_000
/** Hashes of passwords at a time: each takes 32 MB. */
const MOST_HASHING = 4
const MOST_FAILED = 1_000
const FREE_TRIES = 3
const LONGEST_PAUSE_MS = 60_000
const SECOND_MS = 1_000

interface Session {
  readonly name: string
  readonly endsAt: number
  usedAt: number
}

interface Failed {
  tries: number
  until: number
}

type Terms = Pick<CheckedDashboard, 'users' | 'resolve' | 'namedByProxy' | 'rights' | 'isSecure' | 'path'>

export class Logins {
  readonly #terms: Terms
  readonly #users: Users | undefined
  /** By the hash of the token in the cookie. */
  readonly #sessions = new Map<string, Session>()
  readonly #failed = new Map<string, Failed>()
  #hashing = 0

  constructor(terms: Terms) {
    this.#terms = terms
    this.#users = terms.users === undefined ? undefined : new Users(terms.users)
  }

  /** True if there are passwords to log in with. */
  get hasPasswords(): boolean {
    return this.#users !== undefined
  }

  /** Returns the user of a request, if it has one. */
  async userOf(request: Request, address: string | undefined): Promise<DashboardUser | undefined> {
    const { resolve, rights, namedByProxy } = this.#terms
    if (resolve) return checkedUser(await resolve(request, { address }))
    const named = namedByProxy?.(request.headers, address)
    if (named !== undefined) return this.#users ? this.#users.named(named) : { name: named, rights }
    if (!this.#users) return namedByProxy ? undefined : { name: 'this machine', rights }
    const { headers } = request
    if (hasBearer(headers)) return this.#users.withToken(headers.get('authorization')!.slice('bearer '.length).trim())
    const session = this.#sessionOf(headers)
    return session && this.#users.named(session.name)
  }

  /**
   * Returns the cookie of a new session.
   *
   * @throws Refused 401 or 429
   */
  async login(name: unknown, password: unknown, address: string | undefined): Promise<string> {
    if (!this.#users) throw new Refused(404, 'login', 'This dashboard has no passwords.')
    if (typeof name !== 'string' || typeof password !== 'string') throw new Refused(400, 'body', 'Send name, password.')
    const key = `${name.slice(0, 64)} ${address ?? ''}`
    const failed = this.#failed.get(key)
    const now = monotonicMs()
    if ((failed && failed.until > now) || this.#hashing >= MOST_HASHING) {
      const seconds = Math.ceil(((failed?.until ?? now) - now) / SECOND_MS) || 1
      throw new Refused(429, 'slowed', `Try again in ${seconds} s.`, { seconds })
    }
    this.#hashing++
    const user = await this.#users.withPassword(name, password).finally(() => {
      this.#hashing--
    })
    if (!user) {
      this.#noteFailed(key)
      throw new Refused(401, 'login', 'The name or the password is wrong.')
    }
    this.#failed.delete(key)
    return this.#opened(user.name)
  }

  /** Ends the session of a request. Returns the cookie that removes it. */
  logout({ headers }: Request): string {
    this.#sessions.delete(hashOf(this.#tokenIn(headers)))
    return this.#cookie('', 0)
  }

  #opened(name: string): string {
    const token = randomBytes(32).toString('base64url')
    const now = monotonicMs()
    for (const [key, session] of this.#sessions) {
      if (isOver(session, now) || this.#sessions.size >= MOST_SESSIONS) this.#sessions.delete(key)
    }
    this.#sessions.set(hashOf(token), { name, endsAt: now + SESSION_MS, usedAt: now })
    return this.#cookie(token, SESSION_MS / SECOND_MS)
  }

  #sessionOf(headers: Headers): Session | undefined {
    const session = this.#sessions.get(hashOf(this.#tokenIn(headers)))
    const now = monotonicMs()
    if (!session || isOver(session, now)) return undefined
    session.usedAt = now
    return session
  }

  /** A browser accepts the prefix from https and from loopback alone. */
  get #cookieName(): string {
    return this.#terms.isSecure ? '__Host-takespace' : 'takespace-dashboard'
  }

  #cookie(token: string, seconds: number): string {
    const terms = `Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict`
    return `${this.#cookieName}=${token}; ${terms}${this.#terms.isSecure ? '; Secure' : ''}`
  }

  #tokenIn(headers: Headers): string {
    const pairs = (headers.get('cookie') ?? '').split(/;\s*/)
    return pairs.find((pair) => pair.startsWith(`${this.#cookieName}=`))?.slice(this.#cookieName.length + 1) ?? ''
  }

  #noteFailed(key: string): void {
    const tries = (this.#failed.get(key)?.tries ?? 0) + 1
    this.#failed.delete(key)
    const [oldest] = this.#failed.keys()
    if (this.#failed.size >= MOST_FAILED && oldest !== undefined) this.#failed.delete(oldest)
    const pauseMs = tries < FREE_TRIES ? 0 : Math.min(SECOND_MS * 2 ** (tries - FREE_TRIES), LONGEST_PAUSE_MS)
    this.#failed.set(key, { tries, until: monotonicMs() + pauseMs })
  }
}

const isOver = ({ endsAt, usedAt }: Session, now: number): boolean => now >= endsAt || now - usedAt >= IDLE_MS

const hashOf = (token: string): string => createHash('sha256').update(token).digest('base64url')

/** A login of others may answer anything. */
function checkedUser(user: DashboardUser | null): DashboardUser | undefined {
  if (!user || typeof user.name !== 'string' || user.name === '') return undefined
  const { name, role = 'viewer', rights = [] } = user
  return isUserRole(role) && Array.isArray(rights) && rights.every(isRight) ? { name, role, rights } : undefined
}

/** The file of users: names, roles, and hashes of passwords and tokens. */
import { createHash, randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { monotonicMs } from '../clock.js'
import { SpaceError } from '../errors.js'
import { type DashboardUser, isRight, isUserRole } from './rights.js'

interface StoredUser extends Omit<DashboardUser, 'name'> {
  /** `scrypt$N$salt$hash`. */
  readonly password?: string
  /** SHA-256 of each: they have 256 random bits. */
  readonly tokens?: readonly string[]
}

type StoredUsers = Readonly<Record<string, StoredUser>>

/** 32 MB and about 60 ms for each try. */
const COST = 2 ** 15
const BLOCK = 8
const HASH_BYTES = 32
const MOST_USERS = 1_000
const LEAST_PASSWORD = 12
const LONGEST_PASSWORD = 1_024
const NAME = /^[\w.@-]{1,64}$/

/** Returns whether a user can have this name. */
export const isUserName = (text: string): boolean => NAME.test(text) && text !== '__proto__'
/** The file is looked at as often. */
const LOOK_MS = 1_000

export class Users {
  readonly #file: string
  #users: StoredUsers
  #stamp = ''
  #lookedAt = 0

  /** @throws SpaceError INVALID_ARGUMENT: the file is missing or malformed */
  constructor(file: string) {
    this.#file = file
    this.#users = {}
    this.#read()
  }

  /** Returns a user of the file, which may have changed. */
  named(name: string): DashboardUser | undefined {
    this.#look()
    const user = Object.hasOwn(this.#users, name) ? this.#users[name] : undefined
    return user && { name, role: user.role, rights: user.rights }
  }

  /** Returns the user if the password is right. It takes as long for names that do not exist. */
  async withPassword(name: string, password: string): Promise<DashboardUser | undefined> {
    this.#look()
    const known = Object.hasOwn(this.#users, name) ? this.#users[name]?.password : undefined
    const isRight = await verifies(password.slice(0, LONGEST_PASSWORD), known ?? NOBODY)
    return isRight && known ? this.named(name) : undefined
  }

  withToken(token: string): DashboardUser | undefined {
    this.#look()
    const hash = Buffer.from(hashOfToken(token))
    let found: string | undefined
    for (const [name, { tokens = [] }] of Object.entries(this.#users)) {
      for (const each of tokens) {
        const known = Buffer.from(each)
        if (known.length === hash.length && timingSafeEqual(known, hash)) found = name
      }
    }
    return found === undefined ? undefined : this.named(found)
  }

  #look(): void {
    const now = monotonicMs()
    if (now - this.#lookedAt < LOOK_MS) return
    try {
      this.#read()
    } catch {
      // While it is being replaced, or is malformed, nobody is let in whom it did not name before.
    }
  }

  #read(): void {
    this.#lookedAt = monotonicMs()
    if (!existsSync(this.#file)) throw new SpaceError('INVALID_ARGUMENT', `There is no file of users ${this.#file}.`)
    const { mtimeMs, size, ino } = statSync(this.#file)
    const stamp = `${mtimeMs} ${size} ${ino}`
    if (stamp === this.#stamp) return
    this.#users = readUsers(this.#file)
    this.#stamp = stamp
  }
}

const hashOfToken = (token: string): string => createHash('sha256').update(token).digest('base64url')

const derived = (password: string, salt: Buffer, cost: number): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const terms = { N: cost, r: BLOCK, p: 1, maxmem: 256 * cost * BLOCK }
    scrypt(password.normalize('NFKC'), salt, HASH_BYTES, terms, (error, key) => (error ? reject(error) : resolve(key)))
  })

async function hashOf(password: string): Promise<string> {
  const salt = randomBytes(16)
  return `scrypt$${COST}$${salt.toString('base64url')}$${(await derived(password, salt, COST)).toString('base64url')}`
}

async function verifies(password: string, stored: string): Promise<boolean> {
  const [, cost = '', salt = '', hash = ''] = stored.split('$')
  const key = await derived(password, Buffer.from(salt, 'base64url'), Number(cost))
  return timingSafeEqual(key, Buffer.from(hash, 'base64url'))
}

/** The hash of no password. */
const NOBODY = `scrypt$${COST}$${'A'.repeat(22)}$${Buffer.alloc(HASH_BYTES).toString('base64url')}`

function readUsers(file: string): StoredUsers {
  let parsed: unknown
  try {
    parsed = JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    throw new SpaceError('INVALID_ARGUMENT', `The file of users ${file} cannot be read.`, { cause })
  }
  const users = Object(parsed).users
  const isUser = (user: unknown): boolean => {
    const { role = 'viewer', rights = [], password, tokens = [] } = Object(user) as Record<string, unknown>
    const isHash = password === undefined || HASH.test(String(password))
    return isUserRole(role) && Array.isArray(rights) && rights.every(isRight) && isHash && Array.isArray(tokens)
  }
  const isFine = typeof users === 'object' && users !== null && Object.values(users).every(isUser)
  if (!isFine || Object.keys(users).length > MOST_USERS) {
    throw new SpaceError('INVALID_ARGUMENT', `The file of users ${file} is malformed: see docs/dashboard.md.`)
  }
  return users
}

/** A cost beyond 2 ** 20 would take a gigabyte. */
const HASH = /^scrypt\$(1024|2048|4096|8192|16384|32768|65536|131072|262144|524288|1048576)\$[\w-]{8,64}\$[\w-]{43}$/

/**
 * Changes one user in the file, which is made if there is none. Without a change the user is removed.
 *
 * @throws SpaceError INVALID_ARGUMENT
 */
export function writeUser(file: string, name: string, change: Partial<StoredUser> | null): void {
  if (!isUserName(name)) {
    throw new SpaceError('INVALID_ARGUMENT', 'A name has 1 to 64 letters, digits, dots, dashes, @ or _.')
  }
  const before = existsSync(file) ? readUsers(file) : {}
  const { [name]: own, ...others } = before
  const users = change === null ? others : { ...others, [name]: { ...own, ...change } }
  // Replaced in one step: a dashboard may be reading it.
  const next = `${file}.${randomBytes(6).toString('hex')}`
  writeFileSync(next, `${JSON.stringify({ users }, null, 2)}\n`, { mode: 0o600 })
  renameSync(next, file)
}

/** @throws SpaceError INVALID_ARGUMENT: the password is too short or too long */
export async function writePassword(file: string, name: string, password: string, user: Partial<StoredUser>) {
  if (password.length < LEAST_PASSWORD || password.length > LONGEST_PASSWORD) {
    throw new SpaceError('INVALID_ARGUMENT', `A password has ${LEAST_PASSWORD} to ${LONGEST_PASSWORD} characters.`)
  }
  writeUser(file, name, { ...user, password: await hashOf(password) })
}

/** Adds a token to a user and returns it. */
export function writeToken(file: string, name: string, user: Partial<StoredUser>): string {
  const token = randomBytes(32).toString('base64url')
  const known = existsSync(file) ? (readUsers(file)[name]?.tokens ?? []) : []
  writeUser(file, name, { ...user, tokens: [...known, hashOfToken(token)] })
  return token
}

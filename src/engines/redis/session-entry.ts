/** Session entries on Redis: each call is one operation in the batch of its turn, and a lock is waited for in line. */

import { SpaceError } from '../../errors.js'
import type {
  Attribute,
  LoadedSession,
  LockTerms,
  SessionChange,
  SessionEntries,
  SessionPage,
} from '../../session/entries.js'
import { Wait } from '../../wait.js'
import { type Answer, type AskOptions, ask } from './ask.js'
import type { Batches } from './batches.js'
import { readPush } from './push.js'
import type { Writes } from './write.js'

/** Who waits for a lock. */
interface Waiting {
  readonly wid: string
  readonly id: string
  readonly lockMs: number
  readonly wait: Wait<LoadedSession | null>
  /** It has the lock, and what is in the session is on its way. */
  granted: boolean
}

const SPACE = ' '.charCodeAt(0)
/** Names that stand in the space as they are; others are percent-encoded. */
const PLAIN = /^[\w.-]+$/

export class SessionEntriesOnRedis implements SessionEntries {
  readonly #batches: Batches
  readonly #writes: Writes
  readonly #waiting = new Map<string, Waiting>()
  readonly #locks = new Set<string>()
  #wids = 0

  constructor(batches: Batches, writes: Writes) {
    this.#batches = batches
    this.#writes = writes
  }

  async load(id: string, terms?: LockTerms): Promise<LoadedSession | null> {
    if (terms) return this.#inLine(id, terms)
    return loadedIn(await this.#ask(['h', id, '', '']), '')
  }

  async reload(id: string, lock: string): Promise<LoadedSession | null> {
    return loadedIn(await this.#ask(['h', id, '', '']), lock)
  }

  async save(id: string, change: SessionChange): Promise<string | null> {
    const { set, removed, versions, owner, lock, isNew } = change
    const version = (name: string): string => (versions ? versions.get(name) || '-' : '')
    const count = String(set.length + removed.length)
    const owns = owner === undefined ? '' : `@${encoded(owner)}`
    const args = ['H', id, leaseOf(change.leaseMs), isNew ? 'n' : 'u', lock, owns, String(change.maxBytes), count]
    for (const [name, text] of set) args.push(encoded(name), version(name), text)
    for (const name of removed) args.push(encoded(name), version(name), '')
    // Of one that is new nobody else knows yet. What others may have changed since is not changed a second time.
    const { letter, values } = await this.#ask(args, { repeatable: isNew })
    // What is refused leaves its lock as it was.
    if (letter === 'e') throw this.#writes.noted(values[0]!)
    this.#locks.delete(lock)
    return letter === 'm' ? values[0]!.toString('latin1') : null
  }

  async touch(id: string, leaseMs: number, lock: string): Promise<boolean> {
    const { letter } = await this.#ending(lock, () => this.#ask(['t', id, leaseOf(leaseMs), lock]))
    return letter === 'k'
  }

  async destroy(id: string): Promise<boolean> {
    const { letter } = await this.#ask(['Z', id])
    return letter === 'k'
  }

  async release(lock: string): Promise<void> {
    await this.#ending(lock, () => this.#ask(['Q', lock]))
  }

  async count(owner?: string): Promise<number> {
    const { values } = await this.#ask(['Y', ownerOf(owner)])
    return Number(values[0])
  }

  async list(owner: string | undefined, after: string | null): Promise<SessionPage> {
    const { values } = await this.#ask(['X', ownerOf(owner), after ?? '0'])
    const [next, ids] = values.map((value) => value.toString('latin1'))
    return { ids: ids ? ids.split(' ') : [], next: next === '0' ? null : next! }
  }

  /** The space has given a lock to one who waited. */
  granted(wid: string, lock: string): void {
    const waiting = this.#waiting.get(wid)
    if (!waiting) return this.#giveBack(lock)
    this.#locks.add(lock)
    waiting.granted = true
    this.reload(waiting.id, lock).then(
      (loaded) => this.#settle(waiting, loaded, lock),
      (error) => {
        waiting.wait.reject(error)
        this.#giveBack(lock)
      },
    )
  }

  /** What it waits for has ended. */
  missed(wid: string): void {
    this.#waiting.get(wid)?.wait.resolve(null)
  }

  /** The locks that this process knows to have. */
  claims(): Iterable<string> {
    return this.#locks
  }

  askAnew(): void {
    for (const waiting of this.#waiting.values()) void this.#stand(waiting)
  }

  close(): void {
    for (const { wait } of this.#waiting.values()) wait.reject(new SpaceError('SPACE_CLOSED'))
  }

  #inLine(id: string, { lockMs, waitMs }: LockTerms): Promise<LoadedSession | null> {
    const wid = `h${(++this.#wids).toString(36)}`
    const waiting: Waiting = { wid, id, lockMs, wait: new Wait(), granted: false }
    this.#waiting.set(wid, waiting)
    waiting.wait.until(
      waitMs,
      () => void this.#leave(waiting),
      undefined,
      () => {},
    )
    void this.#stand(waiting)
    return waiting.wait.promise.finally(() => this.#waiting.delete(wid))
  }

  async #stand(waiting: Waiting): Promise<void> {
    const { wid, id, lockMs } = waiting
    try {
      const answer = await this.#ask(['h', id, wid, String(Math.ceil(lockMs))], { repeatable: true, standing: true })
      if (answer.letter === 'w') return
      const lock = answer.letter === 'p' ? answer.values[0]!.toString('latin1') : ''
      if (lock) this.#locks.add(lock)
      this.#settle(waiting, loadedIn(answer, lock), lock)
    } catch (error) {
      // Without a link it stands in line anew when there is one, unless its time is up before that.
      if (!(error as SpaceError).retryable) waiting.wait.reject(error)
    }
  }

  #settle({ wait }: Waiting, loaded: LoadedSession | null, lock: string): void {
    const isLate = wait.settled
    wait.resolve(loaded)
    if (lock && (isLate || !loaded)) this.#giveBack(lock)
  }

  /** Its time is up. What was handed over before the space heard of it comes before the answer, and counts. */
  async #leave(waiting: Waiting): Promise<void> {
    const isThere = this.#batches.flowing
    if (isThere) await ask(this.#batches, ['u', waiting.wid], { repeatable: true }).catch(() => {})
    if (!waiting.granted) waiting.wait.reject(new SpaceError(isThere ? 'SESSION_LOCKED' : 'SPACE_UNREACHABLE'))
  }

  #giveBack(lock: string): void {
    // Without a link the next sync gives back what this process does not know to have.
    this.release(lock).catch(() => {})
  }

  /** It is this process's until the space has answered: a link that comes back meanwhile would else end it first. */
  async #ending<T>(lock: string, end: () => Promise<T>): Promise<T> {
    try {
      return await end()
    } finally {
      this.#locks.delete(lock)
    }
  }

  async #ask(args: readonly (string | Buffer)[], options: AskOptions = { repeatable: true }): Promise<Answer> {
    for (;;) {
      const answer = await ask(this.#batches, args, options)
      // What there was is not kept for an answer that was lost on its way; what there is now is as good.
      if (answer.letter !== 'a') return answer
    }
  }
}

const leaseOf = (ms: number): string => (ms === Number.POSITIVE_INFINITY ? '-1' : String(Math.ceil(ms)))

const encoded = (text: string): string => (PLAIN.test(text) ? text : encodeURIComponent(text))

const ownerOf = (owner: string | undefined): string => (owner === undefined ? '' : `@${encoded(owner)}`)

function loadedIn({ letter, values }: Answer, lock: string): LoadedSession | null {
  if (letter !== 'p') return null
  const attributes = new Map<string, Attribute>()
  let owner = ''
  let remainingMs = Number.POSITIVE_INFINITY
  readPush(values[1]!, ({ letter: item, a, b, bytes }) => {
    if (item === 'h') {
      owner = decodeURIComponent(b)
      if (a !== '') remainingMs = Number(a)
      return
    }
    const space = bytes.indexOf(SPACE)
    const version = bytes.toString('latin1', 0, space)
    attributes.set(a.includes('%') ? decodeURIComponent(a) : a, { version, text: bytes.toString('utf8', space + 1) })
  })
  return { attributes, owner, remainingMs, lock }
}

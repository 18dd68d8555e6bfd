/** Session entries on Redis: each call is one operation in the batch of its turn, and a lock is waited for in line. */
import { randomBytes } from 'node:crypto'

import { SpaceError } from '../../errors.js'
import type {
  LoadedSession,
  LockTerms,
  SavedSession,
  SessionChange,
  SessionEntries,
  SessionPage,
} from '../../session/entries.js'
import { Wait } from '../../wait.js'
import { type Answer, type AskOptions, ask } from './ask.js'
import type { Batches } from './batches.js'
import type { Link } from './connection.js'
import type { Keys } from './keys.js'
import { changeArgs, encoded, sessionIn } from './session-record.js'
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

/** A lease that has so long to run cannot have ended on a clock that this process knows from an answer: its steps are 5 s at most. */
const SURELY_MS = 10_000
/** A command that reads more of them holds the server for longer. */
const MOST_READ = 128
const NOTHING = Buffer.alloc(0)

export class SessionEntriesOnRedis implements SessionEntries {
  readonly #batches: Batches
  readonly #writes: Writes
  readonly #keys: Keys
  readonly #waiting = new Map<string, Waiting>()
  readonly #locks = new Set<string>()
  #reads: { readonly key: string; readonly resolve: (bytes: Buffer | null) => void }[] = []
  /** Tells the versions of this process from those of all others. */
  readonly #tag = randomBytes(6).toString('base64url')
  #saves = 0
  #wids = 0

  #link: Link | undefined

  constructor(batches: Batches, writes: Writes, keys: Keys) {
    this.#keys = keys
    this.#batches = batches
    this.#writes = writes
  }

  async load(id: string, terms?: LockTerms): Promise<LoadedSession | null> {
    return terms ? this.#inLine(id, terms) : this.reload(id, '')
  }

  async reload(id: string, lock: string): Promise<LoadedSession | null> {
    const around = await this.#around(id, lock)
    if (around) return around
    const { letter, values, now } = await this.#ask(['v', id, '', ''])
    return letter === 'p' ? sessionIn(values[1]!, now, lock) : null
  }

  async save(id: string, change: SessionChange): Promise<SavedSession | null> {
    const { leaseMs, lock, isNew } = change
    const version = this.#tag + (++this.#saves).toString(36).padStart(8, '0')
    const args = ['P', id, leaseOf(leaseMs), lock, ...changeArgs(change, version)]
    // Of one that is new nobody else knows yet. What others may have changed since is not changed a second time.
    const { letter, values } = await this.#ask(args, { repeatable: isNew })
    // What is refused leaves its lock as it was.
    if (letter === 'e') throw this.#writes.noted(values[0]!)
    this.#locks.delete(lock)
    return letter === 'n' ? null : { version, isKnown: letter === 'k' }
  }

  async touch(id: string, leaseMs: number, lock: string): Promise<boolean> {
    const { letter } = await this.#ending(lock, () => this.#ask(['T', id, leaseOf(leaseMs), lock]))
    return letter === 'k'
  }

  async destroy(id: string): Promise<boolean> {
    const { letter } = await this.#ask(['D', id])
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
  granted(wid: string, lock: string, bytes: Buffer, now: number): void {
    const waiting = this.#waiting.get(wid)
    if (!waiting) return this.#giveBack(lock)
    this.#locks.add(lock)
    waiting.granted = true
    const read = async (): Promise<LoadedSession | null> =>
      bytes.length > 0 ? sessionIn(bytes, now, lock) : this.reload(waiting.id, lock)
    read().then(
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

  up(link: Link): void {
    this.#link = link
  }

  down(): void {
    this.#link = undefined
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

  /**
   * Past the functions, which would copy every byte of it more than once. undefined: they have to say, since it is not there, or its lease
   * may be about to end, and that is exact, or the way is not clear.
   */
  async #around(id: string, lock: string): Promise<LoadedSession | undefined> {
    if (!this.#link) return undefined
    const bytes = await this.#read(id)
    const now = this.#batches.leaseNow
    if (!bytes || now === undefined) return undefined
    const loaded = sessionIn(bytes, now, lock)
    return loaded.remainingMs > SURELY_MS ? loaded : undefined
  }

  /** Those of one turn of the event loop are read by one command. */
  #read(id: string): Promise<Buffer | null> {
    return new Promise((resolve) => {
      this.#reads.push({ key: this.#keys.sessionEntry(id), resolve })
      if (this.#reads.length === 1) setImmediate(() => void this.#readAll())
    })
  }

  async #readAll(): Promise<void> {
    const reads = this.#reads
    this.#reads = []
    while (reads.length > 0) {
      const some = reads.splice(0, MOST_READ)
      const link = this.#link
      const found = link ? await link.getAll(some.map(({ key }) => key)).catch(() => []) : []
      for (const [i, { resolve }] of some.entries()) resolve(found[i] ?? null)
    }
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
      const answer = await this.#ask(['v', id, wid, String(Math.ceil(lockMs))], { repeatable: true, standing: true })
      if (answer.letter === 'w') return
      const lock = answer.letter === 'p' ? answer.values[0]!.toString('latin1') : ''
      if (lock) this.#locks.add(lock)
      const bytes = lock ? answer.values[1]! : NOTHING
      const loaded = bytes.length > 0 ? sessionIn(bytes, answer.now, lock) : lock ? await this.reload(id, lock) : null
      this.#settle(waiting, loaded, lock)
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

const ownerOf = (owner: string | undefined): string => (owner === undefined ? '' : `@${encoded(owner)}`)

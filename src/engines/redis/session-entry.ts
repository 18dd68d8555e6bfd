/**
 * Session entries on Redis: each call is one operation in the batch of its turn, but for loads and for saves of what is known, which go beside it;
 * and a lock is waited for in line.
 */
import { randomBytes } from 'node:crypto'
import { monotonicMs } from '../../clock.js'
import type { Bounds } from '../../engine/bounds.js'
import type {
  LoadedSession,
  LockTerms,
  SavedSession,
  SessionChange,
  SessionEntries,
  SessionPage,
} from '../../engine/sessions.js'
import { SpaceError } from '../../errors.js'
import { Wait } from '../../runtime/wait.js'
import type { Keys } from './keys.js'
import { REPLY, WAIT } from './protocol.js'
import { leaseText } from './record.js'
import { SessionsBeside } from './session-beside.js'
import { encoded, sessionIn, type Told, timeText, toldOf } from './session-record.js'
import { type AskOptions, ask, type Reply } from './wire/ask.js'
import type { Batches } from './wire/batches.js'
import type { Link } from './wire/connection.js'
import type { Arguments, OperationName } from './wire/operation.js'
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
const NOTHING = Buffer.alloc(0)

export class SessionEntriesOnRedis implements SessionEntries {
  readonly #batches: Batches
  readonly #writes: Writes
  readonly #waiting = new Map<string, Waiting>()
  readonly #locks = new Set<string>()
  /** Tells the versions of this process from those of all others. */
  readonly #tag = randomBytes(6).toString('base64url')
  #numbers = 0
  #wids = 0
  readonly #beside: SessionsBeside
  readonly #savesKnown: boolean

  constructor(batches: Batches, writes: Writes, keys: Keys, { maxEntries, maxBytes }: Bounds) {
    this.#batches = batches
    this.#beside = new SessionsBeside(keys)
    // A batch knows the bounds of its process.
    this.#savesKnown = maxEntries === undefined && maxBytes === undefined
    this.#writes = writes
  }

  load(id: string, terms?: LockTerms): Promise<LoadedSession | null> {
    return terms ? this.#inLine(id, terms) : this.reload(id, '')
  }

  /**
   * Past the functions, which would copy every byte of it more than once. They have to say if it is not there, or its lease may be about to
   * end, and that is exact, or the way is not clear.
   */
  async reload(id: string, lock: string): Promise<LoadedSession | null> {
    const began = monotonicMs()
    const bytes = await this.#beside.load(id)
    const about = this.#batches.clock.now
    const found = bytes && about !== undefined ? sessionIn(bytes, about, lock) : null
    if (found && found.remainingMs > SURELY_MS) return found
    const { kind, values, now } = await this.#ask(
      'loadSession',
      { id, wait: '', lockMs: '' },
      { repeatable: true, began },
    )
    return kind === REPLY.session ? sessionIn(values[1]!, now, lock) : null
  }

  async save(id: string, change: SessionChange): Promise<SavedSession | null> {
    const version = this.#tag + (++this.#numbers).toString(36).padStart(8, '0')
    const { change: told, known } = toldOf(change, version)
    const began = monotonicMs()
    const now = this.#batches.clock.now
    if (known && this.#savesKnown && now !== undefined) {
      const lasts = timeText(now + SURELY_MS)
      const came = await this.#beside.save({ ...known, id, lasts, ends: timeText(now + change.leaseMs) })
      if (came === 'saved') return { version, isKnown: true }
      if (came === 'unknown') return this.#saveOnce(id, change, version, began)
    }
    // Of one that is new nobody else knows yet. What others may have changed since is not changed a second time.
    return this.#save(id, change, version, told, { repeatable: change.isNew, began })
  }

  async #save(
    id: string,
    { leaseMs, lock }: SessionChange,
    version: string,
    told: Told['change'],
    options: AskOptions,
  ): Promise<SavedSession | null> {
    const named = { id, leaseMs: leaseText(leaseMs), lock, ...told }
    const { kind, values } = await this.#ask('saveSession', named, options)
    // What is refused leaves its lock as it was.
    if (kind === REPLY.failed) throw this.#writes.noted(values[0]!)
    this.#locks.delete(lock)
    return kind === REPLY.none ? null : { version, isKnown: kind === REPLY.done }
  }

  /** It may have been saved already, under this version; else it is now, if nobody has changed meanwhile what it changes. */
  async #saveOnce(id: string, change: SessionChange, version: string, began: number): Promise<SavedSession | null> {
    const { attributes } = change.base!
    const versions = new Map(Array.from(attributes, ([name, attribute]) => [name, attribute.version]))
    try {
      const { change: told } = toldOf({ ...change, versions }, version)
      return await this.#save(id, change, version, told, { repeatable: true, began })
    } catch (cause) {
      throw new SpaceError('OUTCOME_UNKNOWN', undefined, { cause })
    }
  }

  async touch(id: string, leaseMs: number, lock: string): Promise<boolean> {
    const { kind } = await this.#ending(lock, () =>
      this.#ask('touchSession', { id, leaseMs: leaseText(leaseMs), lock }),
    )
    return kind === REPLY.done
  }

  async destroy(id: string): Promise<boolean> {
    const { kind } = await this.#ask('destroySession', { id })
    return kind === REPLY.done
  }

  async release(lock: string): Promise<void> {
    await this.#ending(lock, () => this.#ask('unlockSession', { lock }))
  }

  async count(owner?: string): Promise<number> {
    const { values } = await this.#ask('countSessions', { owner: ownerText(owner) })
    return Number(values[0])
  }

  async list(owner: string | undefined, after: string | null): Promise<SessionPage> {
    const { values } = await this.#ask('listSessions', { owner: ownerText(owner), after: after ?? '0' })
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
    this.#beside.up(link)
  }

  down(): void {
    this.#beside.down()
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
    const wid = `${WAIT.lock}${(++this.#wids).toString(36)}`
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
      const named = { id, wait: wid, lockMs: leaseText(lockMs) }
      const answer = await this.#ask('loadSession', named, { repeatable: true, standing: true })
      if (answer.kind === REPLY.waiting) return
      const lock = answer.kind === REPLY.session ? answer.values[0]!.toString('latin1') : ''
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
    if (isThere) await ask(this.#batches, 'endWait', { wait: waiting.wid }, { repeatable: true }).catch(() => {})
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

  async #ask<N extends OperationName>(
    name: N,
    named: Arguments<N>,
    options: AskOptions = { repeatable: true },
  ): Promise<Reply> {
    for (;;) {
      const answer = await ask(this.#batches, name, named, options)
      // What there was is not kept for an answer that was lost on its way; what there is now is as good.
      if (answer.kind !== REPLY.askAgain) return answer
    }
  }
}

/** Returns an owner as an operation names it; '' for all owners. */
const ownerText = (owner: string | undefined): string => (owner === undefined ? '' : `@${encoded(owner)}`)

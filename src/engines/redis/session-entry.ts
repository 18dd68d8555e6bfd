/**
 * Session entries on Redis. Each call is one operation in the batch of its turn, except loads and saves with a known
 * base, which are sent beside it. Waits for a lock are queued.
 */
import { createHash, randomBytes } from 'node:crypto'
import { monotonicMs } from '../../clock.js'
import type { Bounds } from '../../engine/bounds.js'
import type {
  KnownSession,
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
import { REPLY, SESSION_RECORD, WAIT } from './protocol.js'
import { leaseText } from './record.js'
import { type SaveResult, SessionsBeside } from './session-beside.js'
import {
  type BatchedChange,
  EncodedChange,
  encoded,
  type KnownChange,
  knownRenewal,
  leaseHead,
  sessionIn,
  timeText,
} from './session-record.js'
import { type AskOptions, ask, type Reply } from './wire/ask.js'
import type { Batches } from './wire/batches.js'
import type { Link } from './wire/link.js'
import type { Arguments, OperationName } from './wire/operation.js'
import type { Writes } from './write.js'

/** A load that waits for a lock. */
interface Waiting {
  readonly waitId: string
  readonly id: string
  readonly lockMs: number
  readonly wait: Wait<LoadedSession | null>
  /** Settles when the space has answered the load, and what it answered has been read. */
  joined: Promise<void>
  /** The lock is granted, and the contents of the session are on their way. */
  granted: boolean
}

/**
 * A lease with this long to run cannot have ended, judged by the lease clock of an earlier reply: its steps are 5 s at
 * most.
 */
const SURELY_MS = 10_000
const NOTHING = Buffer.alloc(0)

export class SessionEntriesOnRedis implements SessionEntries {
  readonly #batches: Batches
  readonly #writes: Writes
  readonly #waiting = new Map<string, Waiting>()
  readonly #locks = new Set<string>()
  /** Distinguishes the versions of this process from those of all others. */
  readonly #tag = randomBytes(6).toString('base64url')
  #numbers = 0
  #waits = 0
  readonly #beside: SessionsBeside
  readonly #savesKnown: boolean

  constructor(batches: Batches, writes: Writes, keys: Keys, { maxEntries, maxBytes }: Bounds) {
    this.#batches = batches
    this.#beside = new SessionsBeside(keys, batches.level)
    // Only a batch states the bounds of its process.
    this.#savesKnown = maxEntries === undefined && maxBytes === undefined
    this.#writes = writes
  }

  load(id: string, terms?: LockTerms): Promise<LoadedSession | null> {
    return terms ? this.#loadLocked(id, terms) : this.reload(id, '')
  }

  /**
   * Loads past the functions, which would copy every byte more than once. The functions are asked only if the entry is
   * missing or its lease may be about to end, which they judge exactly, or if the first load failed.
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
    return kind === REPLY.session ? this.#soundIn(id, values[1]!, now, lock) : null
  }

  /** Returns the session; null if the entry is damaged, which is then removed and reported. */
  async #soundIn(id: string, bytes: Buffer, now: number, lock: string): Promise<LoadedSession | null> {
    const session = sessionIn(bytes, now, lock)
    if (session) return session
    const digest = createHash('sha1')
      .update(bytes.subarray(SESSION_RECORD.size.from - 1))
      .digest('hex')
    const { kind } = await this.#ask('setSessionAside', { id, digest })
    // Otherwise another process has saved it meanwhile.
    return kind === REPLY.done ? null : this.reload(id, lock)
  }

  async save(id: string, change: SessionChange): Promise<SavedSession | null> {
    const version = this.#tag + (++this.#numbers).toString(36).padStart(8, '0')
    const encodedChange = new EncodedChange(change, version)
    const began = monotonicMs()
    const result = await this.#saveBeside(id, change.leaseMs, encodedChange.known)
    if (result === 'saved') return { version, isKnown: true }
    if (result === 'unknown') return this.#saveOnce(id, change, encodedChange, version, began)
    // A new session is known to no other process. Updating is not repeatable: another save may have come between.
    return this.#save(id, change, version, encodedChange.batched(), { repeatable: change.isNew, began })
  }

  /** Saves or renews past the batch, if possible. */
  #saveBeside(id: string, leaseMs: number, known: KnownChange | undefined): SaveResult | Promise<SaveResult> {
    const now = this.#batches.clock.now
    if (!known || !this.#savesKnown || now === undefined) return 'notSaved'
    return this.#beside.save(id, known, timeText(now + SURELY_MS), leaseHead(timeText(now + leaseMs)))
  }

  async #save(
    id: string,
    { leaseMs, lock }: SessionChange,
    version: string,
    batched: BatchedChange,
    options: AskOptions,
  ): Promise<SavedSession | null> {
    const named = { id, leaseMs: leaseText(leaseMs), lock, ...batched }
    const { kind, values } = await this.#ask('saveSession', named, options)
    // A refused save leaves its lock as it was.
    if (kind === REPLY.failed) throw this.#writes.noted(values[0]!)
    this.#locks.delete(lock)
    return kind === REPLY.none ? null : { version, isKnown: kind === REPLY.done }
  }

  /**
   * Repeats a save whose reply was lost, under the same version. Has no effect if the save ran. Throws OUTCOME_UNKNOWN
   * if it fails, also because another process has changed the same attributes meanwhile.
   */
  async #saveOnce(
    id: string,
    change: SessionChange,
    encodedChange: EncodedChange,
    version: string,
    began: number,
  ): Promise<SavedSession | null> {
    const { attributes } = change.base!
    const versions = new Map(Array.from(attributes, ([name, attribute]) => [name, attribute.version]))
    try {
      return await this.#save(id, change, version, encodedChange.batched(versions), { repeatable: true, began })
    } catch (cause) {
      throw new SpaceError('OUTCOME_UNKNOWN', undefined, { cause })
    }
  }

  async touch(id: string, leaseMs: number, lock: string, base?: KnownSession): Promise<boolean> {
    const known = base && base.version !== '' && lock === '' ? knownRenewal(base) : undefined
    if ((await this.#saveBeside(id, leaseMs, known)) === 'saved') return true
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

  /** Handles a lock that was granted to a waiting load. */
  granted(waitId: string, lock: string, bytes: Buffer, now: number): void {
    const waiting = this.#waiting.get(waitId)
    if (!waiting) return this.#giveBack(lock)
    this.#locks.add(lock)
    waiting.granted = true
    const read = async (): Promise<LoadedSession | null> =>
      bytes.length > 0 ? this.#soundIn(waiting.id, bytes, now, lock) : this.reload(waiting.id, lock)
    read().then(
      (loaded) => this.#settle(waiting, loaded, lock),
      (error) => {
        waiting.wait.reject(error)
        this.#giveBack(lock)
      },
    )
  }

  /** Ends a wait whose session has ended. */
  missed(waitId: string): void {
    this.#waiting.get(waitId)?.wait.resolve(null)
  }

  up(link: Link): void {
    this.#beside.up(link)
  }

  down(): void {
    this.#beside.down()
  }

  /** Returns the locks that this process knows to hold. */
  claims(): Iterable<string> {
    return this.#locks
  }

  askAnew(): void {
    for (const waiting of this.#waiting.values()) waiting.joined = this.#joinQueue(waiting)
  }

  close(): void {
    for (const { wait } of this.#waiting.values()) wait.reject(new SpaceError('SPACE_CLOSED'))
  }

  #loadLocked(id: string, { lockMs, waitMs }: LockTerms): Promise<LoadedSession | null> {
    const waitId = `${WAIT.lock}${(++this.#waits).toString(36)}`
    const waiting: Waiting = { waitId, id, lockMs, wait: new Wait(), joined: Promise.resolve(), granted: false }
    this.#waiting.set(waitId, waiting)
    waiting.wait.until(
      waitMs,
      () => void this.#leave(waiting),
      undefined,
      () => {},
    )
    waiting.joined = this.#joinQueue(waiting)
    return waiting.wait.promise.finally(() => this.#waiting.delete(waitId))
  }

  async #joinQueue(waiting: Waiting): Promise<void> {
    const { waitId, id, lockMs } = waiting
    try {
      const named = { id, wait: waitId, lockMs: leaseText(lockMs) }
      const answer = await this.#ask('loadSession', named, { repeatable: true, standing: true })
      if (answer.kind === REPLY.waiting) return
      const lock = answer.kind === REPLY.session ? answer.values[0]!.toString('latin1') : ''
      if (lock) this.#locks.add(lock)
      const bytes = lock ? answer.values[1]! : NOTHING
      const isHere = bytes.length > 0
      const loaded = isHere
        ? await this.#soundIn(id, bytes, answer.now, lock)
        : lock
          ? await this.reload(id, lock)
          : null
      this.#settle(waiting, loaded, lock)
    } catch (error) {
      // Without a link, the wait is queued again on the next one, unless its time ends before that.
      if (!(error as SpaceError).retryable) waiting.wait.reject(error)
    }
  }

  #settle({ wait }: Waiting, loaded: LoadedSession | null, lock: string): void {
    const isLate = wait.settled
    wait.resolve(loaded)
    if (lock && (isLate || !loaded)) this.#giveBack(lock)
  }

  /**
   * Ends a wait whose time is over. A lock granted before the space learned of that arrives before the reply, and
   * counts, also if its session is still being read.
   */
  async #leave(waiting: Waiting): Promise<void> {
    const isThere = this.#batches.flowing
    try {
      if (isThere) {
        await ask(this.#batches, 'endWait', { wait: waiting.waitId }, { repeatable: true })
        await waiting.joined
      }
    } catch {
      // The link is lost, and what was granted on it is given back.
    }
    if (!waiting.granted) waiting.wait.reject(new SpaceError(isThere ? 'SESSION_LOCKED' : 'SPACE_UNREACHABLE'))
  }

  #giveBack(lock: string): void {
    // Without a link, the next sync gives back a lock that this process does not know to hold.
    this.release(lock).catch(() => {})
  }

  /** Keeps a lock until the space has replied: otherwise the sync of a new link would end it first. */
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
      // The contents of a lost reply are not kept; the present contents serve as well.
      if (answer.kind !== REPLY.askAgain) return answer
    }
  }
}

/** Returns an owner as an operation names it; '' for all owners. */
const ownerText = (owner: string | undefined): string => (owner === undefined ? '' : `@${encoded(owner)}`)

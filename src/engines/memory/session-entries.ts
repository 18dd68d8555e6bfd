/** Session entries of a memory space: attributes, locks and waiting loads. Each step is atomic. */
import { LONGEST_TIMER_MS, wallMs } from '../../clock.js'
import type { LoadedSession, LockTerms, SavedSession, SessionChange, SessionEnd } from '../../engine/sessions.js'
import { SpaceError } from '../../errors.js'
import { Wait } from '../../runtime/wait.js'
import type { Size } from './bag.js'

interface MemorySession {
  readonly id: string
  attributes: Map<string, { text: string; version: string }>
  version: string
  owner: string
  expiresAt: number
  timer: NodeJS.Timeout | undefined
  locker: Locker | undefined
  readonly line: LockRequest[]
}

interface Locker {
  readonly lock: string
  /** The process that holds the lock. */
  readonly presence: string
  readonly timer: NodeJS.Timeout
}

interface LockRequest {
  readonly presence: string
  readonly lockMs: number
  readonly wait: Wait<LoadedSession | null>
}

/** Returns whether the process's bounds allow this many more sessions and bytes. */
export type HasRoom = (sessions: number, bytes: number) => boolean

export class MemorySessions {
  readonly #all = new Map<string, MemorySession>()
  readonly #onEnded: (id: string, owner: string, reason: SessionEnd) => void
  #versions = 0
  #locks = 0

  constructor(onEnded: (id: string, owner: string, reason: SessionEnd) => void) {
    this.#onEnded = onEnded
  }

  /** Loads a session; with `terms` it is locked for this process, at once or when the lock is free. */
  load(id: string, presence: string, terms: LockTerms | undefined): Wait<LoadedSession | null> {
    const wait = new Wait<LoadedSession | null>()
    const kept = this.#get(id)
    if (!kept || !terms) {
      wait.resolve(kept ? loadedOf(kept) : null)
    } else if (!kept.locker) {
      this.#lock(kept, presence, terms.lockMs)
      wait.resolve(loadedOf(kept))
    } else {
      const waiting = { presence, lockMs: terms.lockMs, wait }
      kept.line.push(waiting)
      const end = (): void => {
        remove(kept.line, waiting)
        wait.reject(new SpaceError('SESSION_LOCKED'))
      }
      wait.until(terms.waitMs, end, undefined, end)
    }
    return wait
  }

  save(id: string, change: SessionChange, hasRoom: HasRoom): SavedSession | null {
    const { isNew, set, removed, versions, lock } = change
    const kept = this.#get(id)
    if (!kept && !isNew) return null
    if (lock !== '' && kept?.locker?.lock !== lock) throw new SpaceError('CLAIM_LOST')
    if (lock === '' && kept?.locker) throw new SpaceError('SESSION_LOCKED')
    const before = kept?.attributes ?? new Map()
    const current = kept?.version
    for (const name of versions ? [...set.map(([name]) => name), ...removed] : []) {
      const there = before.get(name)?.version ?? ''
      if (there !== (versions?.get(name) ?? '')) throw new SpaceError('SESSION_CONFLICT')
    }
    const version = String(++this.#versions)
    const after = new Map(isNew ? [] : before)
    for (const [name, text] of set) after.set(name, { text, version })
    for (const name of removed) after.delete(name)
    const growth = attributeBytes(after) - attributeBytes(before)
    if (growth > 0 && attributeBytes(after) > change.maxBytes) throw new SpaceError('SESSION_TOO_LARGE')
    if ((growth > 0 || !kept) && !hasRoom(kept ? 0 : 1, growth)) throw new SpaceError('SPACE_FULL')
    const saved = kept ?? this.#make(id)
    saved.attributes = after
    saved.version = version
    saved.owner = change.owner ?? (isNew ? '' : saved.owner)
    this.#lease(saved, change.leaseMs)
    this.unlock(lock)
    return { version, isKnown: isNew || current === change.base?.version }
  }

  touch(id: string, leaseMs: number, lock: string): boolean {
    const kept = this.#get(id)
    if (kept) this.#lease(kept, leaseMs)
    this.unlock(lock)
    return kept !== undefined
  }

  destroy(id: string): boolean {
    const kept = this.#get(id)
    if (kept) this.#end(kept, 'destroyed')
    return kept !== undefined
  }

  /** Releases a lock for the next waiting load. Does nothing if the lock is over. */
  unlock(lock: string): void {
    const kept = this.#all.get(lock.slice(0, lock.indexOf(':')))
    if (!kept || kept.locker?.lock !== lock) return
    clearTimeout(kept.locker.timer)
    kept.locker = undefined
    const next = kept.line.shift()
    if (!next) return
    this.#lock(kept, next.presence, next.lockMs)
    next.wait.resolve(loadedOf(kept))
  }

  /** Releases the locks of a process that is gone, or was declared dead; ends its waits if it is gone. */
  bury(presence: string, isGone: boolean): void {
    for (const { line, locker } of this.#all.values()) {
      if (isGone) for (const waiting of line.filter((each) => each.presence === presence)) remove(line, waiting)
      if (locker?.presence === presence) this.unlock(locker.lock)
    }
  }

  ids(owner: string | undefined): string[] {
    const now = wallMs()
    const there = [...this.#all.values()].filter((kept) => kept.expiresAt > now)
    return there.filter((kept) => owner === undefined || (owner !== '' && kept.owner === owner)).map(({ id }) => id)
  }

  get size(): Size {
    const bytes = [...this.#all.values()].reduce((sum, { attributes }) => sum + attributeBytes(attributes), 0)
    return { count: this.#all.size, bytes }
  }

  #get(id: string): MemorySession | undefined {
    const kept = this.#all.get(id)
    if (!kept || kept.expiresAt > wallMs()) return kept
    this.#end(kept, 'expired')
    return undefined
  }

  #make(id: string): MemorySession {
    const kept: MemorySession = {
      id,
      attributes: new Map(),
      version: '',
      owner: '',
      expiresAt: 0,
      timer: undefined,
      locker: undefined,
      line: [],
    }
    this.#all.set(id, kept)
    return kept
  }

  #lease(kept: MemorySession, leaseMs: number): void {
    kept.expiresAt = wallMs() + leaseMs
    this.#arm(kept)
  }

  #arm(kept: MemorySession): void {
    clearTimeout(kept.timer)
    const left = kept.expiresAt - wallMs()
    if (left <= 0) return this.#end(kept, 'expired')
    // Does not keep the process alive.
    kept.timer = setTimeout(() => this.#arm(kept), Math.min(left, LONGEST_TIMER_MS)).unref()
  }

  #lock(kept: MemorySession, presence: string, lockMs: number): void {
    const lock = `${kept.id}:${++this.#locks}`
    kept.locker = {
      lock,
      presence,
      timer: setTimeout(() => this.unlock(lock), Math.min(lockMs, LONGEST_TIMER_MS)).unref(),
    }
  }

  #end(kept: MemorySession, reason: SessionEnd): void {
    clearTimeout(kept.timer)
    clearTimeout(kept.locker?.timer)
    this.#all.delete(kept.id)
    for (const { wait } of kept.line.splice(0)) wait.resolve(null)
    this.#onEnded(kept.id, kept.owner, reason)
  }
}

function remove<T>(list: T[], item: T): void {
  const at = list.indexOf(item)
  if (at >= 0) list.splice(at, 1)
}

const attributeBytes = (attributes: ReadonlyMap<string, { text: string }>): number =>
  [...attributes].reduce(
    (bytes, [name, { text }]) => bytes + Buffer.byteLength(encodeURIComponent(name)) + Buffer.byteLength(text),
    0,
  )

const loadedOf = ({ attributes, version, owner, expiresAt, locker }: MemorySession): LoadedSession => ({
  attributes: new Map(attributes),
  version,
  owner,
  remainingMs: expiresAt - wallMs(),
  lock: locker?.lock ?? '',
})

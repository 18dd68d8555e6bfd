/** Session entries as one process of a memory space sees them: locks under its name, its waits, its bounds. */

import type {
  LoadedSession,
  LockTerms,
  SavedSession,
  SessionChange,
  SessionEntries,
  SessionPage,
} from '../../engine/sessions.js'
import { SpaceError } from '../../errors.js'
import type { Wait } from '../../runtime/wait.js'
import type { HasRoom, MemorySessions } from './session-entries.js'

export class SessionAccess implements SessionEntries {
  readonly #all: MemorySessions
  readonly #presence: string
  readonly #hasRoom: HasRoom
  readonly #waits = new Set<Wait<LoadedSession | null>>()
  #closed = false

  constructor(all: MemorySessions, presence: string, hasRoom: HasRoom) {
    this.#all = all
    this.#presence = presence
    this.#hasRoom = hasRoom
  }

  async load(id: string, terms?: LockTerms): Promise<LoadedSession | null> {
    const wait = this.#open().load(id, this.#presence, terms)
    this.#waits.add(wait)
    return wait.promise.finally(() => this.#waits.delete(wait))
  }

  async reload(id: string, lock: string): Promise<LoadedSession | null> {
    const loaded = await this.load(id)
    return loaded && { ...loaded, lock }
  }

  async save(id: string, change: SessionChange): Promise<SavedSession | null> {
    return this.#open().save(id, change, this.#hasRoom)
  }

  async touch(id: string, leaseMs: number, lock: string): Promise<boolean> {
    return this.#open().touch(id, leaseMs, lock)
  }

  async destroy(id: string): Promise<boolean> {
    return this.#open().destroy(id)
  }

  async release(lock: string): Promise<void> {
    if (!this.#closed) this.#all.unlock(lock)
  }

  async count(owner?: string): Promise<number> {
    return this.#open().ids(owner).length
  }

  async list(owner: string | undefined): Promise<SessionPage> {
    return { ids: this.#open().ids(owner), next: null }
  }

  close(): void {
    this.#closed = true
    for (const wait of this.#waits) wait.reject(new SpaceError('SPACE_CLOSED'))
  }

  #open(): MemorySessions {
    if (this.#closed) throw new SpaceError('SPACE_CLOSED')
    return this.#all
  }
}

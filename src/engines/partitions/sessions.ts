/** Session entries over partitions: each is in the partition of its id. */
import type {
  KnownSession,
  LoadedSession,
  LockTerms,
  SavedSession,
  SessionChange,
  SessionEntries,
  SessionPage,
} from '../../engine/sessions.js'
import type { Engine } from '../../engine.js'
import type { Placement } from './placement.js'

export class PartitionedSessions implements SessionEntries {
  readonly #members: readonly Engine[]
  readonly #placement: Placement

  constructor(members: readonly Engine[], placement: Placement) {
    this.#members = members
    this.#placement = placement
  }

  async load(id: string, terms?: LockTerms): Promise<LoadedSession | null> {
    return this.#marked(id, await this.#of(id).load(id, terms))
  }

  async reload(id: string, lock: string): Promise<LoadedSession | null> {
    return this.#marked(id, await this.#of(id).reload(id, this.#plain(lock)))
  }

  save(id: string, change: SessionChange): Promise<SavedSession | null> {
    return this.#of(id).save(id, change.lock === '' ? change : { ...change, lock: this.#plain(change.lock) })
  }

  touch(id: string, leaseMs: number, lock: string, base?: KnownSession): Promise<boolean> {
    return this.#of(id).touch(id, leaseMs, this.#plain(lock), base)
  }

  destroy(id: string): Promise<boolean> {
    return this.#of(id).destroy(id)
  }

  async release(lock: string): Promise<void> {
    const partition = this.#placement.marked(lock)
    if (partition !== undefined) await this.#members[partition]!.sessions.release(this.#plain(lock))
  }

  async count(owner?: string): Promise<number> {
    const counts = await Promise.all(this.#members.map(({ sessions }) => sessions.count(owner)))
    return counts.reduce((sum, count) => sum + count, 0)
  }

  /** A page of each partition; the cursor has where each goes on. */
  async list(owner: string | undefined, after: string | null): Promise<SessionPage> {
    const cursors = after === null ? this.#members.map(() => '') : (JSON.parse(after) as (string | null)[])
    const over: SessionPage = { ids: [], next: null }
    const pages = await Promise.all(
      this.#members.map(({ sessions }, i) => {
        const cursor = cursors[i] ?? null
        return cursor === null ? over : sessions.list(owner, cursor === '' ? null : cursor)
      }),
    )
    const next = pages.map((page) => page.next)
    return {
      ids: pages.flatMap(({ ids }) => ids),
      next: next.every((cursor) => cursor === null) ? null : JSON.stringify(next),
    }
  }

  #of(id: string): SessionEntries {
    return this.#members[this.#placement.ofKey(id)]!.sessions
  }

  /** A lock is released without the id of its session. */
  #marked(id: string, loaded: LoadedSession | null): LoadedSession | null {
    if (!loaded || loaded.lock === '') return loaded
    return { ...loaded, lock: this.#placement.mark(loaded.lock, this.#placement.ofKey(id)) }
  }

  #plain(lock: string): string {
    return lock === '' ? '' : this.#placement.unmarked(lock)
  }
}

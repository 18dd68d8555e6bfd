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
import { firstPlaced } from './first-placed.js'
import { markOf, type Placement, withMark, withoutMark } from './placement.js'

export class PartitionedSessions implements SessionEntries {
  readonly #members: readonly Engine[]
  readonly #placement: Placement

  constructor(members: readonly Engine[], placement: Placement) {
    this.#members = members
    this.#placement = placement
  }

  load(id: string, terms?: LockTerms): Promise<LoadedSession | null> {
    return this.#wherever(id, async (sessions, partition) => marked(await sessions.load(id, terms), partition))
  }

  reload(id: string, lock: string): Promise<LoadedSession | null> {
    const plain = plainOf(lock)
    return this.#wherever(id, async (sessions, partition) => marked(await sessions.reload(id, plain), partition))
  }

  async save(id: string, change: SessionChange): Promise<SavedSession | null> {
    const own = change.lock === '' ? change : { ...change, lock: plainOf(change.lock) }
    if (!change.isNew) return this.#wherever(id, (sessions) => sessions.save(id, own))
    const [first] = this.#placement.placesOf(id)
    const made = this.#placement.ofKey(id)
    // It replaces one of this id wherever that is.
    if (first !== made) await this.#in(first!).destroy(id)
    await this.#placement.arrived?.(made)
    return this.#in(made).save(id, own)
  }

  touch(id: string, leaseMs: number, lock: string, base?: KnownSession): Promise<boolean> {
    const plain = plainOf(lock)
    return this.#wherever(id, (sessions) => sessions.touch(id, leaseMs, plain, base))
  }

  destroy(id: string): Promise<boolean> {
    return this.#wherever(id, (sessions) => sessions.destroy(id))
  }

  async release(lock: string): Promise<void> {
    const partition = markOf(lock, this.#members.length)
    if (partition !== undefined) await this.#in(partition).release(plainOf(lock))
  }

  async count(owner?: string): Promise<number> {
    const counts = await Promise.all(this.#placement.all.map((partition) => this.#in(partition).count(owner)))
    return counts.reduce((sum, count) => sum + count, 0)
  }

  /** A page of each partition; the cursor has where each goes on. */
  async list(owner: string | undefined, after: string | null): Promise<SessionPage> {
    const begin = (_: Engine, partition: number): string | null => (this.#placement.all.includes(partition) ? '' : null)
    const cursors = after === null ? this.#members.map(begin) : (JSON.parse(after) as (string | null)[])
    const open = cursors.flatMap((cursor, partition) => (cursor === null ? [] : [partition]))
    const asked = this.#placement.first(open)
    const pages = await Promise.all(
      asked.map(async (partition) => {
        await this.#placement.arrived?.(partition)
        return this.#in(partition).list(owner, cursors[partition] || null)
      }),
    )
    for (const [i, partition] of asked.entries()) cursors[partition] = pages[i]!.next
    const ids = pages.flatMap((page) => page.ids)
    const next = cursors.every((cursor) => cursor === null) ? null : JSON.stringify(cursors)
    return next !== null && ids.length === 0 ? this.list(owner, next) : { ids, next }
  }

  #in(partition: number): SessionEntries {
    return this.#members[partition]!.sessions
  }

  #wherever<T>(id: string, ask: (sessions: SessionEntries, partition: number) => Promise<T>): Promise<T> {
    return firstPlaced(this.#placement, id, (partition) => ask(this.#in(partition), partition))
  }
}

/** A lock is released without the id of its session. */
function marked(loaded: LoadedSession | null, partition: number): LoadedSession | null {
  if (!loaded || loaded.lock === '') return loaded
  return { ...loaded, lock: withMark(loaded.lock, partition) }
}

const plainOf = (lock: string): string => (lock === '' ? '' : withoutMark(lock))

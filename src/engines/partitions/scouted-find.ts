/**
 * A find that waits in several partitions and is given one entry. It stands in one of them. In all of them it has a
 * scout: a registration for entries that become available, which claims nothing. When a scout elsewhere reports one,
 * the wait is ended where it stands, confirmed, and stands there. Scouts stay until the find ends, so whatever becomes
 * available in between is noted.
 */
import { monotonicMs } from '../../clock.js'
import type { Engine, Find, Interest, Stored } from '../../engine.js'
import { isSpaceError, SpaceError } from '../../errors.js'
import { onAbort } from '../../runtime/abort.js'

/** Runs a find in one partition. */
export type Ask = (partition: number, find: Find) => Promise<Stored | null>

/** Names, in a partition, the transaction under which its scout sees what that transaction alone may have. */
export type Under = (partition: number) => string

/** How long after a failure a scout is sent again. */
const AGAIN_MS = 500

export async function findScouted(
  members: readonly Engine[],
  among: readonly number[],
  find: Find,
  ask: Ask,
  under?: Under,
): Promise<Stored | null> {
  const scouted = new ScoutedFind(among, find, ask)
  const scouts = among.map((partition) => {
    const onSeen = (): void => scouted.look(partition)
    return new Scout(members[partition]!, find, onSeen, under && (() => under(partition)))
  })
  try {
    // A partition that is away must not keep the wait from the others.
    const reachable = scouts.filter((_, i) => members[among[i]!]!.isReachable)
    for (const scout of scouts) scout.send()
    await Promise.all(reachable.map(({ sent }) => sent))
    return await scouted.run()
  } finally {
    for (const scout of scouts) scout.recall()
  }
}

class ScoutedFind {
  readonly #among: readonly number[]
  readonly #find: Find
  readonly #ask: Ask
  readonly #endsAt: number
  /** Partitions in which an entry may be available. */
  readonly #due: Set<number>
  /** Partitions without a match that a transaction holds (ifExists). */
  readonly #absent = new Set<number>()
  #at: number
  /** Ends the standing wait. */
  #standing: AbortController | undefined

  constructor(among: readonly number[], find: Find, ask: Ask) {
    this.#among = among
    this.#find = find
    this.#ask = ask
    this.#endsAt = monotonicMs() + find.waitMs
    // Between the first search and the scouts, entries may have come.
    this.#due = new Set(among)
    this.#at = among[0]!
  }

  /** An entry may have become available in this partition. */
  look(partition: number): void {
    // The standing wait would have been given it.
    if (this.#standing && !this.#standing.signal.aborted && partition === this.#at) return
    this.#absent.delete(partition)
    this.#due.add(partition)
    this.#standing?.abort(MOVED)
  }

  async run(): Promise<Stored | null> {
    const { ifExists, signal } = this.#find
    for (;;) {
      signal?.throwIfAborted()
      const [next = this.#at] = this.#due
      this.#due.delete(next)
      this.#at = next
      const isStanding = this.#due.size === 0
      const stored = isStanding ? await this.#stand(next) : await this.#look(next)
      if (stored) return stored
      if (stored === undefined || !isStanding || this.#due.size > 0) continue
      if (monotonicMs() >= this.#endsAt) return null
      if (!ifExists) continue
      // Nothing to wait for here.
      this.#absent.add(next)
      const other = this.#among.find((partition) => !this.#absent.has(partition))
      if (other === undefined) return null
      this.#at = other
    }
  }

  /** Returns undefined if the partition is away: its scout reports when it is back. */
  async #look(partition: number): Promise<Stored | null | undefined> {
    try {
      return await this.#ask(partition, { ...this.#find, waitMs: 0 })
    } catch (error) {
      if (isSpaceError(error) && error.retryable) return undefined
      throw error
    }
  }

  /** Returns undefined if the wait must go elsewhere. */
  async #stand(partition: number): Promise<Stored | null | undefined> {
    const { signal } = this.#find
    const waitMs = Math.max(this.#endsAt - monotonicMs(), 0)
    const standing = new AbortController()
    const unlisten = signal && onAbort(signal, () => standing.abort(signal.reason))
    this.#standing = standing
    try {
      return await this.#ask(partition, { ...this.#find, waitMs, signal: standing.signal })
    } catch (error) {
      if (error === MOVED) return undefined
      throw error
    } finally {
      this.#standing = undefined
      unlisten?.()
    }
  }
}

/** The reason with which a standing wait is ended. */
const MOVED = new SpaceError('INTERNAL', 'A wait has gone to another partition.')

/** A registration that reports when a match becomes available to a find. */
class Scout {
  readonly #member: Engine
  readonly #interest: Interest
  readonly #onSeen: () => void
  readonly #tx: (() => string) | undefined
  #id: string | undefined
  #isRecalled = false
  #timer: NodeJS.Timeout | undefined
  /** Resolves when the last attempt to send it has succeeded or failed. */
  sent: Promise<void> = Promise.resolve()

  constructor(member: Engine, { template, take }: Find, onSeen: () => void, tx?: () => string) {
    this.#member = member
    this.#onSeen = onSeen
    this.#tx = tx
    this.#interest = {
      templates: [template],
      on: take ? 'available' : 'visible',
      leaseMs: Number.POSITIVE_INFINITY,
      onEvent: onSeen,
      onMissed: onSeen,
      onEnded: () => this.#sendLater(),
    }
  }

  send(): void {
    this.sent = this.#send()
  }

  recall(): void {
    this.#isRecalled = true
    clearTimeout(this.#timer)
    if (this.#id !== undefined) this.#member.cancel(this.#id).catch(() => {})
  }

  async #send(): Promise<void> {
    try {
      this.#id = (await this.#member.notify({ ...this.#interest, tx: this.#tx?.() })).id
    } catch (error) {
      if (isSpaceError(error) && error.retryable) this.#sendLater()
      return
    }
    if (this.#isRecalled) this.recall()
    else this.#onSeen()
  }

  #sendLater(): void {
    this.#id = undefined
    if (!this.#isRecalled) this.#timer = setTimeout(() => this.send(), AGAIN_MS).unref()
  }
}

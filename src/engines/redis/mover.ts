/**
 * The mover of a space: takes it through the phases of a move, and moves what no worker would take soon. Several may run,
 * and each may end at any point: another one goes on (decision 0029).
 */
import { monotonicMs } from '../../clock.js'
import { SpaceError } from '../../errors.js'
import type { Movable, Moves } from './moves.js'
import type { MovingEngine } from './moving.js'
import { PHASE } from './protocol.js'

/** Of several new partitions each is sent about so many entries at a time, but no more than MOST_PENDING in all. */
const EACH = 64
const MOST_PENDING = 1_024
/** How often it tells how far it is. */
const REPORT_MS = 1_000
/** How often it looks whether processes follow, and whether more can be moved. */
const LOOK_MS = 200
/** The order of writing in the new partitions begins this far above that of the old ones, which goes on meanwhile. */
const AHEAD = 2 ** 30
/** Half of the orders that a score has room for: beyond, new entries may come before moved ones. */
const MOST_ORDER = 2 ** 43

export interface MoveProgress {
  /** waiting: for the processes in `behind`; settling: entries are left that processes hold, or that wait for one. */
  readonly step: 'waiting' | 'moving' | 'settling' | 'moved'
  readonly phase: 'joined' | 'moving' | 'moved'
  /** Names of processes that have one of the addresses, or do not follow the phase yet. */
  readonly behind: readonly string[]
  /** What has been moved by this mover. */
  readonly moved: number
  /** Entries and session entries that are left in the old partitions. */
  readonly left: { readonly entries: number; readonly sessions: number }
}

/** What is done when no process works in the old partitions any more. */
export interface Carrying {
  /** Takes along what is beside the space on its server. */
  queue(): Promise<void>
  /** Makes the new partitions those of the space, once everything is there. */
  settle(): Promise<void>
}

export class Mover {
  readonly #engine: MovingEngine
  readonly #carry: Carrying
  readonly #onProgress: (progress: MoveProgress) => void
  readonly #signal: AbortSignal | undefined
  #moved = 0
  #reportedAt = Number.NEGATIVE_INFINITY

  constructor(
    engine: MovingEngine,
    carry: Carrying,
    onProgress: (progress: MoveProgress) => void,
    signal?: AbortSignal,
  ) {
    this.#engine = engine
    this.#carry = carry
    this.#onProgress = onProgress
    this.#signal = signal
  }

  /**
   * Moves the space. Resolves when the old partitions are empty and every process works in the new ones alone.
   * @throws signal.reason; SpaceError INVALID_ARGUMENT if the new partitions have entries of another space
   */
  async run(): Promise<void> {
    await this.#begin()
    await this.#reach(PHASE.moving, PHASE.joined)
    await this.#engine.arrivals.endLeftBehind(true)
    while (!(await this.#isEmpty())) await this.#pass()
    await this.#reach(PHASE.moved, PHASE.moving)
    await this.#waitFor(PHASE.moved)
    // Kinds that were first written while it moved have keys, too, if it moves again.
    await this.#adoptKinds()
    if (!(await this.#hasArrived())) await this.#carry.queue()
    await Promise.all(this.#engine.fresh.map((moves) => moves.setOrigin(PHASE.arrived)))
    await this.#carry.settle()
    await this.#report('moved', [])
  }

  /** Returns where a move stands, without changing anything. */
  async status(): Promise<MoveProgress> {
    const phase = await this.#phase()
    const behind = await this.#behind(Math.max(phase, PHASE.joined))
    const left = await this.#left()
    const step = behind.length > 0 ? 'waiting' : phase === PHASE.moved ? 'moved' : 'moving'
    return { step, phase: nameOf(phase), behind, moved: 0, left }
  }

  async #phase(): Promise<number> {
    return (await this.#engine.old[0]!.learnPhase(0)).from
  }

  async #hasArrived(): Promise<boolean> {
    return (await this.#engine.fresh[0]!.learnPhase(0)).to === PHASE.arrived
  }

  async #begin(): Promise<void> {
    const { old, fresh, isInterleaved } = this.#engine
    if ((await this.#phase()) >= PHASE.moving) return
    const areEmpty = await Promise.all(fresh.map((moves) => moves.setOrigin(PHASE.arriving)))
    if (areEmpty.includes(false)) {
      throw new SpaceError(
        'INVALID_ARGUMENT',
        'The new address has entries in a space of this name: a space moves into an empty one.',
      )
    }
    await Promise.all(old.map((moves) => moves.setPhase(PHASE.joined, this.#engine.target)))
    const orders = await Promise.all(old.map((moves) => moves.raiseOrder(0)))
    const most = Math.max(...orders) * (isInterleaved ? old.length : 1)
    const above = Math.min(Math.ceil((most + AHEAD) / fresh.length) * fresh.length, MOST_ORDER)
    for (const [index, moves] of fresh.entries()) await moves.raiseOrder(above + index, fresh.length)
    await this.#adoptKinds()
  }

  /** Makes known in the new partitions which kinds there are, what is indexed of them, and which have keys. */
  async #adoptKinds(): Promise<void> {
    const { old, fresh } = this.#engine
    const roots = new Set((await Promise.all(old.map((moves) => moves.indexedKinds()))).flat())
    const keyed = await this.#engine.keyedKinds()
    await Promise.all(fresh.flatMap((moves) => [moves.announceRoots([...roots]), moves.announceKeys(keyed)]))
  }

  /** Sets a phase once all processes follow the one before. */
  async #reach(phase: number, before: number): Promise<void> {
    if ((await this.#phase()) < phase) await this.#waitFor(before)
    for (const moves of this.#engine.old) {
      for (;;) {
        const behind = await moves.setPhase(phase, this.#engine.target)
        if (behind.length === 0) break
        await this.#report('waiting', behind)
        await this.#pause()
      }
    }
    await this.#waitFor(phase)
  }

  /** Waits until every process follows a phase. */
  async #waitFor(phase: number): Promise<void> {
    for (;;) {
      const behind = await this.#behind(phase)
      if (behind.length === 0) return
      await this.#report('waiting', behind)
      await this.#pause()
    }
  }

  /** Returns the processes that do not follow a phase, and those that are in the new partitions alone. */
  async #behind(phase: number): Promise<readonly string[]> {
    const { old: from, fresh: to, target } = this.#engine
    const [old, fresh] = await Promise.all([from[0]!.phases(target), to[0]!.phases(target)])
    const behind = [...old].filter(([, followed]) => followed < phase).map(([presence]) => presence)
    const alone = phase < PHASE.moved ? [...fresh.keys()].filter((presence) => !old.has(presence)) : []
    return [...behind, ...alone]
  }

  async #left(): Promise<MoveProgress['left']> {
    const counts = await Promise.all(this.#engine.old.map((moves) => moves.count()))
    return {
      entries: counts.reduce((sum, { entries }) => sum + entries, 0),
      sessions: counts.reduce((sum, { sessions }) => sum + sessions, 0),
    }
  }

  async #isEmpty(): Promise<boolean> {
    const counted = (each: readonly Moves[]) => Promise.all(each.map((moves) => moves.count()))
    const [old, fresh] = await Promise.all([counted(this.#engine.old), counted(this.#engine.fresh)])
    const isEmpty = old.every(({ entries, sessions, unfinished }) => entries + sessions + unfinished === 0)
    return isEmpty && fresh.every(({ arriving }) => arriving === 0)
  }

  /** Moves everything that can be moved now. */
  async #pass(): Promise<void> {
    const before = this.#moved
    this.#engine.destinations.know(await this.#engine.keyedKinds())
    for (const [index, moves] of this.#engine.old.entries()) {
      await this.#passOver(index, moves, 'movableSessions')
      await this.#passOver(index, moves, 'movable')
    }
    await this.#report(this.#moved > before ? 'moving' : 'settling', [])
    // What was held, or was changed at that moment, may be free next time.
    await this.#engine.arrivals.endLeftBehind()
    if (this.#moved === before) await this.#pause()
  }

  async #passOver(index: number, moves: Moves, what: 'movable' | 'movableSessions'): Promise<void> {
    let cursor = '0'
    let pending: Movable[] = []
    do {
      this.#signal?.throwIfAborted()
      const { items, next } = await moves.page(what, cursor)
      pending.push(...items)
      cursor = next
      if (cursor !== '0' && pending.length < Math.min(EACH * this.#engine.fresh.length, MOST_PENDING)) continue
      await this.#send(index, pending)
      if (monotonicMs() - this.#reportedAt >= REPORT_MS) await this.#report('moving', [])
      pending = []
    } while (cursor !== '0')
  }

  /** Sends each new partition what belongs there. What must go together does. */
  async #send(index: number, items: readonly Movable[]): Promise<void> {
    const groups = new Map<number, Movable[]>()
    let to: number | undefined
    for (const item of items) {
      to ??= this.#engine.destinations.of(item)
      groups.set(to, [...(groups.get(to) ?? []), item])
      if (!item.hasNext) to = undefined
    }
    const sent = Array.from(groups, ([partition, own]) => this.#engine.arrivals.send(index, partition, own))
    for (const each of await Promise.allSettled(sent)) {
      if (each.status === 'rejected') throw each.reason
      this.#moved += each.value
    }
  }

  async #report(step: MoveProgress['step'], behind: readonly string[]): Promise<void> {
    this.#reportedAt = monotonicMs()
    const phase = nameOf(await this.#phase())
    this.#onProgress({ step, phase, behind, moved: this.#moved, left: await this.#left() })
  }

  async #pause(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    this.#signal?.throwIfAborted()
  }
}

const nameOf = (phase: number): MoveProgress['phase'] =>
  phase >= PHASE.moved ? 'moved' : phase >= PHASE.moving ? 'moving' : 'joined'

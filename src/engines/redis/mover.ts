/**
 * The mover of a space: takes it through the phases of a move, and moves what no worker would take soon. Several may run,
 * and each may end at any point: another one goes on (decision 0029).
 */
import { SpaceError } from '../../errors.js'
import type { Moves } from './moves.js'
import type { MovingEngine } from './moving.js'
import { PHASE } from './protocol.js'

/** How often it looks whether processes follow, and whether more can be moved. */
const LOOK_MS = 200
/** The order of writing in the new partitions begins this far above that of the old ones, which goes on meanwhile. */
const AHEAD = 2 ** 30

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

export class Mover {
  readonly #engine: MovingEngine
  readonly #carry: () => Promise<void>
  readonly #onProgress: (progress: MoveProgress) => void
  readonly #signal: AbortSignal | undefined
  #moved = 0

  /** `carry` takes along what is beside the space, when no process works at the old address any more. */
  constructor(
    engine: MovingEngine,
    carry: () => Promise<void>,
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
    if (!(await this.#hasArrived())) await this.#carry()
    await Promise.all(this.#engine.fresh.map((moves) => moves.setOrigin(PHASE.arrived)))
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
    const { old, fresh } = this.#engine
    if ((await this.#phase()) >= PHASE.moving) return
    const areEmpty = await Promise.all(fresh.map((moves) => moves.setOrigin(PHASE.arriving)))
    if (areEmpty.includes(false)) {
      throw new SpaceError(
        'INVALID_ARGUMENT',
        'The new address has entries in a space of this name: a space moves into an empty one.',
      )
    }
    await Promise.all(old.map((moves) => moves.setPhase(PHASE.joined)))
    const orders = await Promise.all(old.map((moves) => moves.raiseOrder(0)))
    const above = Math.max(...orders) * old.length + AHEAD
    for (const moves of fresh) {
      await moves.raiseOrder(above)
      for (const from of old) await moves.adoptKinds(from)
    }
  }

  /** Sets a phase once all processes follow the one before. */
  async #reach(phase: number, before: number): Promise<void> {
    if ((await this.#phase()) < phase) await this.#waitFor(before)
    for (const moves of this.#engine.old) {
      for (;;) {
        const behind = await moves.setPhase(phase)
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
    const [old, fresh] = await Promise.all([this.#engine.old[0]!.phases(), this.#engine.fresh[0]!.phases()])
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
    do {
      this.#signal?.throwIfAborted()
      const { items, next } = await moves.page(what, cursor)
      if (items.length > 0) this.#moved += await this.#engine.arrivals.send(index, 0, items)
      cursor = next
    } while (cursor !== '0')
  }

  async #report(step: MoveProgress['step'], behind: readonly string[]): Promise<void> {
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

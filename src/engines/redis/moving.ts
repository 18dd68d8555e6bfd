/** A space that moves, as one process sees it: the old partitions and the new ones, and the phase that it follows. */
import { v7 as uuidv7 } from 'uuid'
import type { Bounds } from '../../engine/bounds.js'
import type { Move } from '../../engine/move.js'
import type { Delivery } from '../../engine.js'
import { SpaceError } from '../../errors.js'
import { allOrNone } from '../../runtime/all-or-none.js'
import { PartitionedEngine } from '../partitions/index.js'
import { type MovePhase, MovingPlacement } from '../partitions/moving-placement.js'
import { Arrivals } from './arrivals.js'
import { boundsOfEach, partitionsAt } from './cluster.js'
import { RedisEngine, type RedisOptions } from './index.js'
import type { Moves } from './moves.js'
import { PHASE } from './protocol.js'

/** How often a process asks for the phase. */
const ASK_MS = 1_000

const PHASES: readonly MovePhase[] = ['joined', 'joined', 'moving', 'moved']

/** The partitions of one address. */
interface Side {
  readonly engines: readonly RedisEngine[]
  readonly moves: readonly Moves[]
}

export class MovingEngine extends PartitionedEngine implements Move {
  readonly old: readonly Moves[]
  readonly fresh: readonly Moves[]
  readonly arrivals: Arrivals
  readonly #placement: MovingPlacement
  readonly #leaving = new Set<() => Promise<void>>()
  #timer: NodeJS.Timeout | undefined
  #followed: number = PHASE.joined

  constructor(old: Side, fresh: Side) {
    const members = [...old.engines, ...fresh.engines]
    const arrivals = new Arrivals(old.moves, fresh.moves)
    const placement = new MovingPlacement({
      old: old.engines.length,
      fresh: fresh.engines.length,
      process: members[0]!.presence,
      isReachable: (partition) => members[partition]!.isReachable,
      arrived: (partition) => arrivals.arrived(partition - old.engines.length),
      bring: async (template, partition) => {
        for (const [index, engine] of old.engines.entries()) {
          const stored = await engine.find({ template, take: false, waitMs: 0 })
          if (!stored) continue
          await arrivals.send(index, partition - old.engines.length, await old.moves[index]!.entry(stored.id))
          return
        }
      },
    })
    super(members, placement)
    this.old = old.moves
    this.fresh = fresh.moves
    this.arrivals = arrivals
    this.#placement = placement
  }

  get phase(): MovePhase {
    return this.#placement.phase
  }

  /** A transaction may have effects in old and new partitions. That of a request ends with its completion, in its partition. */
  override begin(leaseMs: number, onEnded: () => void, near?: Delivery, spans?: boolean): string {
    return super.begin(leaseMs, onEnded, near, near ? spans : true)
  }

  get move(): Move {
    return this
  }

  get hasMoved(): boolean {
    return this.phase === 'moved'
  }

  async arrived(): Promise<void> {
    while ((await this.fresh[0]!.learnPhase(0)).to !== PHASE.arrived) {
      await new Promise((resolve) => setTimeout(resolve, ASK_MS))
    }
  }

  onLeaving(leave: () => Promise<void>): () => void {
    this.#leaving.add(leave)
    return () => this.#leaving.delete(leave)
  }

  /** Follows the phase from now on. */
  async follow(): Promise<void> {
    await this.#askOnce()
    this.#askLater()
  }

  override async close(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    await super.close()
  }

  /** Asks for the phase, and has the space note that this process follows it. */
  async #askOnce(): Promise<void> {
    for (;;) {
      const [first] = await Promise.all(this.old.map((moves) => moves.learnPhase(this.#followed)))
      const phase = Math.max(first!.from, PHASE.joined)
      if (phase <= this.#followed) break
      this.#followed = phase
      this.#placement.follow(PHASES[phase]!)
      this.placementChanged()
      // The space learns that this process follows with the next question, once this is done.
      if (this.hasMoved) await this.#leave()
    }
    if (this.phase === 'moving') await this.arrivals.endLeftBehind()
  }

  async #leave(): Promise<void> {
    const leaving = [...this.#leaving]
    this.#leaving.clear()
    await Promise.allSettled(leaving.map((leave) => leave()))
  }

  #askLater(): void {
    this.#timer = setTimeout(() => {
      void this.#askOnce()
        .catch(() => {})
        .finally(() => {
          if (this.#timer) this.#askLater()
        })
    }, ASK_MS).unref()
  }
}

/**
 * Opens a space at the address that it moves from and at that it moves to.
 * @throws SpaceError as RedisEngine.open()
 */
export async function openMoving(
  url: string,
  nextUrl: string,
  options: RedisOptions,
  asked: number | undefined,
): Promise<MovingEngine> {
  const presence = uuidv7(undefined, Buffer.alloc(16)).toString('base64url')
  const [old, fresh] = await Promise.all([partitionsAt(url, options, asked), partitionsAt(nextUrl, options, undefined)])
  if (fresh.length > 1) {
    const advice = 'Give one server, Sentinels, or a Cluster with ?partitions=1.'
    throw new SpaceError('INVALID_ARGUMENT', `A space does not move to ${fresh.length} partitions. ${advice}`)
  }
  const terms = { ...options, presence, isMoving: true }
  const open = (at: string, partitions: readonly RedisOptions['partition'][], bounds: Bounds) =>
    partitions.map((partition) => RedisEngine.open(at, { ...terms, bounds, partition }))
  const engines = await allOrNone(
    [
      ...open(url, old, boundsOfEach(options.bounds, old.length)),
      ...open(nextUrl, fresh, boundsOfEach(options.bounds, fresh.length)),
    ],
    (member) => member.close(),
  )
  // Both would hear the pushes of each other.
  const runs = new Set(engines.slice(0, old.length).map(({ moves }) => moves.run))
  if (engines.slice(old.length).some(({ moves }) => runs.has(moves.run))) {
    await Promise.all(engines.map((member) => member.close()))
    throw new SpaceError(
      'INVALID_ARGUMENT',
      'url and nextUrl are addresses of one server: a space moves to another one.',
    )
  }
  const sideOf = (members: readonly RedisEngine[]): Side => ({
    engines: members,
    moves: members.map(({ moves }) => moves),
  })
  const engine = new MovingEngine(sideOf(engines.slice(0, old.length)), sideOf(engines.slice(old.length)))
  try {
    await engine.follow()
    return engine
  } catch (error) {
    await engine.close()
    throw error
  }
}

/** A space that moves, as one process sees it: the old partitions and the new ones, and the phase that it follows. */
import { v7 as uuidv7 } from 'uuid'
import type { Move } from '../../engine/move.js'
import type { Delivery, EncodedTemplate } from '../../engine.js'
import { keyedKinds } from '../../entry/keyed-kinds.js'
import { SpaceError } from '../../errors.js'
import { allOrNone } from '../../runtime/all-or-none.js'
import { PartitionedEngine } from '../partitions/index.js'
import { type MovePhase, MovingPlacement } from '../partitions/moving-placement.js'
import { FixedPlacement } from '../partitions/placement.js'
import { Arrivals } from './arrivals.js'
import { boundsOfEach } from './cluster.js'
import { Destinations } from './destinations.js'
import { RedisEngine } from './index.js'
import type { Moves } from './moves.js'
import { endsOfMove, type MoveEnd, type MoveEnds, targetOf } from './next-partitions.js'
import type { RedisOptions } from './options.js'
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
  readonly destinations: Destinations
  /** The name of the new partitions, which all processes must have in mind. */
  readonly target: string
  readonly ends: MoveEnds
  /** True if the orders of writing of old partitions must be interleaved. */
  readonly isInterleaved: boolean
  readonly #placement: MovingPlacement
  readonly #leaving = new Set<() => Promise<void>>()
  #timer: NodeJS.Timeout | undefined
  #followed: number = PHASE.joined
  #announced = 0

  constructor(ends: MoveEnds, old: Side, fresh: Side) {
    const members = [...old.engines, ...fresh.engines]
    // Partitions of a later generation have numbers that no other has (raiseOrder).
    const isInterleaved = ends.old.count > 1 && ends.old.generation === 0
    const arrivals = new Arrivals(old.moves, fresh.moves, isInterleaved)
    const destinations = new Destinations(new FixedPlacement(ends.fresh.count, '', undefined, ends.fresh.generation))
    const bring = async (template: EncodedTemplate, partition: number): Promise<void> => {
      const home = partition - old.engines.length
      for (const [index, engine] of old.engines.entries()) {
        const stored = await engine.find({ template, take: false, waitMs: 0 })
        const items = stored ? await old.moves[index]!.entry(stored.id) : []
        if (!items[0] || (destinations.required(items[0]) ?? home) !== home) continue
        await arrivals.send(index, home, items)
        return
      }
    }
    const placement = new MovingPlacement({
      old: ends.old,
      fresh: ends.fresh,
      process: members[0]!.presence,
      isReachable: (partition) => members[partition]!.isReachable,
      arrived: (partition) => arrivals.arrived(partition - old.engines.length),
      bring,
    })
    super(members, placement)
    this.old = old.moves
    this.fresh = fresh.moves
    this.arrivals = arrivals
    this.destinations = destinations
    this.target = targetOf(ends.fresh)
    this.ends = ends
    this.isInterleaved = isInterleaved
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
      await this.#announceKeys()
      const [first] = await Promise.all(this.old.map((moves) => moves.learnPhase(this.#followed, this.target)))
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

  /**
   * Makes the keys of all kinds of this process known before the space moves: it may only take them, and older releases
   * have written them without. Kinds that are defined later follow.
   */
  async #announceKeys(): Promise<void> {
    const known = keyedKinds()
    if (known.size > this.#announced) await this.old[0]!.announceKeys(known)
    this.#announced = known.size
    if (this.phase === 'moving') this.destinations.know(await this.keyedKinds())
  }

  /** Returns the field that decides the partition, by kind, as processes have made it known. */
  async keyedKinds(): Promise<ReadonlyMap<string, string>> {
    const each = await Promise.all(this.old.map((moves) => moves.keyedKinds()))
    return new Map(each.flatMap((fields) => [...fields]))
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
 * Opens a space at the address that it moves from and at that it moves to. Returns null if both are one Cluster, where the
 * space has the new partitions already.
 * @throws SpaceError as RedisEngine.open(), PARTITIONS_DIFFER, INVALID_ARGUMENT
 */
export async function openMoving(
  url: string,
  nextUrl: string,
  options: RedisOptions,
  asked: number | undefined,
): Promise<MovingEngine | null> {
  const ends = await endsOfMove(url, nextUrl, options, asked)
  if (!ends) return null
  const presence = uuidv7(undefined, Buffer.alloc(16)).toString('base64url')
  const terms = { ...options, presence, isMoving: true }
  const open = (at: string, { count, partitions }: MoveEnd) => {
    const bounds = boundsOfEach(options.bounds, count)
    return partitions.map((partition) => RedisEngine.open(at, { ...terms, bounds, partition }))
  }
  const { old, fresh } = ends
  const engines = await allOrNone([...open(url, old), ...open(nextUrl, fresh)], (member) => member.close())
  const [from, to] = [engines.slice(0, old.count), engines.slice(old.count)]
  const close = () => Promise.all(engines.map((member) => member.close()))
  const places = new Set(from.map(({ moves }) => moves.place))
  if (to.some(({ moves }) => places.has(moves.place))) {
    await close()
    const advice = 'A space moves to another server, or to another number of partitions on the same Cluster.'
    throw new SpaceError('INVALID_ARGUMENT', `url and nextUrl are addresses of one server. ${advice}`)
  }
  const sideOf = (members: readonly RedisEngine[]): Side => ({
    engines: members,
    moves: members.map(({ moves }) => moves),
  })
  const engine = new MovingEngine(ends, sideOf(from), sideOf(to))
  try {
    await engine.follow()
    return engine
  } catch (error) {
    await engine.close()
    throw error
  }
}

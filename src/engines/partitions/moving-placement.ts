/**
 * The placement of a space that moves: two sets of partitions, an old one and a new one, numbered one behind the other.
 * Things are made in the set of the phase, looked for in the old one first, and move to the new one alone.
 */
import type { EncodedTemplate } from '../../engine.js'
import { FixedPlacement, type Placement } from './placement.js'

/** In which set things are made, and whether the old one has any left. */
export type MovePhase = 'joined' | 'moving' | 'moved'

/** How long messages pause when they go by the new partitions: those before them have arrived then. */
const TURNING_MS = 500

/** A set of partitions, and how often others had been replaced before it. */
export interface Generation {
  readonly count: number
  readonly generation: number
}

export interface MovingTerms {
  readonly old: Generation
  readonly fresh: Generation
  readonly process: string
  readonly isReachable: (partition: number) => boolean
  /** Resolves when what is on its way to a new partition has arrived. */
  readonly arrived: (partition: number) => Promise<void>
  /** Moves a match of a template, if there is one, to a new partition. */
  readonly bring: (template: EncodedTemplate, partition: number) => Promise<void>
}

export class MovingPlacement implements Placement {
  readonly count: number
  readonly #old: FixedPlacement
  readonly #fresh: FixedPlacement
  readonly #inOrder: readonly number[]
  readonly #onlyFresh: readonly number[]
  readonly #arrived: (partition: number) => Promise<void>
  readonly #bring: MovingTerms['bring']
  #phase: MovePhase = 'joined'
  #turning: Promise<void> | undefined

  constructor({ old, fresh, process, isReachable, arrived, bring }: MovingTerms) {
    const isFreshReachable = (partition: number): boolean => isReachable(old.count + partition)
    this.count = old.count + fresh.count
    this.#old = new FixedPlacement(old.count, process, isReachable, old.generation)
    this.#fresh = new FixedPlacement(fresh.count, process, isFreshReachable, fresh.generation)
    this.#inOrder = Array.from({ length: this.count }, (_, i) => i)
    this.#onlyFresh = this.#inOrder.slice(old.count)
    this.#arrived = arrived
    this.#bring = bring
  }

  get phase(): MovePhase {
    return this.#phase
  }

  follow(phase: MovePhase): void {
    if (phase === 'moved' && this.#phase !== 'moved') {
      const turning = new Promise<void>((resolve) => setTimeout(resolve, TURNING_MS).unref())
      this.#turning = turning.then(() => {
        this.#turning = undefined
      })
    }
    this.#phase = phase
  }

  get shares(): number {
    return this.#isNew ? this.#fresh.count : this.#old.count
  }

  get all(): readonly number[] {
    return this.#phase === 'moved' ? this.#onlyFresh : this.#inOrder
  }

  next(): number {
    return this.#isNew ? this.#new(this.#fresh.next()) : this.#old.next()
  }

  inTurn(): readonly number[] {
    const fresh = this.#fresh.inTurn().map((partition) => this.#new(partition))
    return this.#phase === 'moved' ? fresh : [...this.#old.inTurn(), ...fresh]
  }

  /** What has moved after the new partitions were read would be missed. */
  first(partitions: readonly number[]): readonly number[] {
    const old = partitions.filter((partition) => partition < this.#old.count)
    return old.length > 0 ? old : partitions
  }

  ofKey(key: string, beside?: number): number {
    const isNew = beside === undefined ? this.#isNew : beside >= this.#old.count
    return isNew ? this.#new(this.#fresh.ofKey(key)) : this.#old.ofKey(key)
  }

  placesOf(key: string): readonly number[] {
    const fresh = this.#new(this.#fresh.ofKey(key))
    return this.#phase === 'moved' ? [fresh] : [this.#old.ofKey(key), fresh]
  }

  /** All processes hear both. */
  ofMessagesTo(presence: string): number {
    return this.#phase === 'moved' ? this.#new(this.#fresh.ofKey(presence)) : this.#old.ofKey(presence)
  }

  heardAt(presence: string): readonly number[] {
    return [this.#old.ofKey(presence), this.#new(this.#fresh.ofKey(presence))]
  }

  get turning(): Promise<void> | undefined {
    return this.#turning
  }

  /** An entry keeps its id when it moves. */
  marked(): undefined {
    return undefined
  }

  ofId(id: string): number {
    return this.#isNew ? this.#new(this.#fresh.ofId(id)) : this.#old.ofId(id)
  }

  besideIn(partition: number, id: string): number {
    return this.#isNew && partition < this.#old.count ? this.ofId(id) : partition
  }

  numberOf(partition: number): number {
    const { count } = this.#old
    return partition < count ? this.#old.numberOf(partition) : this.#fresh.numberOf(partition - count)
  }

  numbered(number: number): number {
    return this.#fresh.hasNumber(number) ? this.#new(this.#fresh.numbered(number)) : this.#old.numbered(number)
  }

  /** The mark is that of the set, which processes know that have one address. A single partition needs none. */
  mark(id: string, partition: number): string {
    const [set, own] = partition < this.#old.count ? [this.#old, partition] : [this.#fresh, partition - this.#old.count]
    return set.count === 1 ? id : set.mark(id, own)
  }

  ofTemplate({ partition }: EncodedTemplate): readonly number[] | undefined {
    return partition === undefined ? undefined : this.placesOf(partition)
  }

  among(template: EncodedTemplate): readonly number[] {
    return this.ofTemplate(template) ?? this.inTurn()
  }

  arrived(partition: number): Promise<void> | undefined {
    return this.#phase === 'moving' && partition >= this.#old.count ? this.#arrived(partition) : undefined
  }

  bring(template: EncodedTemplate, partition: number): Promise<void> | undefined {
    const isNeeded = this.#phase === 'moving' && partition >= this.#old.count
    return isNeeded ? this.#bring(template, partition) : undefined
  }

  get #isNew(): boolean {
    return this.#phase !== 'joined'
  }

  #new(partition: number): number {
    return this.#old.count + partition
  }
}

/** Placement: the partition of a key, an id or a process. Every process of a space finds the same. */
import type { EncodedTemplate } from '../../engine.js'

/** Between an id and the partition that it was written to, in base 36. */
const MARK = '~'
/** Between the partition and its generation, if that is not 0. */
const GENERATION_MARK = '_'

/**
 * By the numbers of their partitions transactions of several generations are told apart, while a space moves: more than a
 * space may have, and more generations than it has at a time. Numbers last in transactions that are unfinished.
 */
const NUMBERS = 1_024
const NUMBERED_GENERATIONS = 8

export interface Placement {
  readonly count: number
  /** The number of partitions among which new things, and the bounds of the space, are divided. */
  readonly shares: number
  /** The partitions in use. */
  readonly all: readonly number[]
  /** Returns one partition after the other, for whatever may be in any; one that is away only if all are. */
  next(): number
  /** Returns all partitions, in the order in which a find looks at them; those that are away come last. */
  inTurn(): readonly number[]
  /** Returns those of these partitions that a listing reads before the others. */
  first(partitions: readonly number[]): readonly number[]
  /** Returns the partition in which something with this key is made. @param beside if given, in the same set as this one */
  ofKey(key: string, beside?: number): number
  /** Returns the partitions in which something with this key may be, in the order in which to look. */
  placesOf(key: string): readonly number[]
  /** Returns the partition that an id was marked with; undefined if it has no mark that tells. */
  marked(id: string): number | undefined
  /** Returns the partition through which messages to a process pass. */
  ofMessagesTo(presence: string): number
  /** Returns the partitions through which messages to a process may come. */
  heardAt(presence: string): readonly number[]
  /** Set while messages pause, because they are about to pass through another partition. */
  readonly turning?: Promise<void> | undefined
  /** Returns the partition in which something without a key is made that belongs to what is in this partition. */
  besideIn(partition: number, id: string): number
  /** Returns the number of a partition that transactions of other processes know it by. */
  numberOf(partition: number): number
  /** Returns the partition of such a number. */
  numbered(number: number): number
  /** Returns the partition in which something with this id is made. */
  ofId(id: string): number
  /** Returns an id that tells in which partition it is made. */
  mark(id: string, partition: number): string
  /** Returns the partitions that may have matches; undefined if all may. */
  ofTemplate(template: EncodedTemplate): readonly number[] | undefined
  /** Returns the partitions that may have matches, in the order in which a find looks at them. */
  among(template: EncodedTemplate): readonly number[]
  /**
   * In a space that moves: resolves when what was on its way to this partition has arrived, so that a search there sees it.
   * Undefined if there is nothing to wait for.
   */
  arrived?(partition: number): Promise<void> | undefined
  /**
   * In a space that moves: brings a match to this partition, for a transaction that must not have effects in others.
   * Undefined if there is nothing to bring.
   */
  bring?(template: EncodedTemplate, partition: number): Promise<void> | undefined
}

/** Returns the partition of an id without a mark, or of a key: FNV-1a. */
function partitionOf(key: string, count: number): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  // The low bits of FNV-1a depend on the low bits of the input alone.
  return ((hash ^ (hash >>> 15)) >>> 0) % count
}

/** Returns an id with the mark of a partition. */
export const withMark = (id: string, partition: number, generation = 0): string => {
  const later = generation === 0 ? '' : `${GENERATION_MARK}${generation.toString(36)}`
  return `${id}${MARK}${partition.toString(36)}${later}`
}

/** Returns an id without its mark. */
export const withoutMark = (id: string): string => id.slice(0, id.lastIndexOf(MARK))

/** Returns the partition in the mark of an id; undefined if there is none of this generation below `count`. */
export function markOf(id: string, count: number, generation = 0): number | undefined {
  const at = id.lastIndexOf(MARK)
  if (at < 0) return undefined
  const [partition = Number.NaN, marked = 0] = id
    .slice(at + 1)
    .split(GENERATION_MARK)
    .map((part) => Number.parseInt(part, 36))
  return marked === generation && partition < count ? partition : undefined
}

/** A set of partitions that stays as it is. */
export class FixedPlacement implements Placement {
  readonly count: number
  readonly all: readonly number[]
  readonly #isReachable: (partition: number) => boolean
  readonly #generation: number
  #turn: number

  /**
   * `process`: its turns begin elsewhere than those of other processes. `generation`: how often the partitions of the space
   * had been replaced by others; ids keep the marks of those in which they were made.
   */
  constructor(
    count: number,
    process: string,
    isReachable: (partition: number) => boolean = () => true,
    generation = 0,
  ) {
    this.count = count
    this.#generation = generation
    this.all = Array.from({ length: count }, (_, i) => i)
    this.#isReachable = isReachable
    this.#turn = this.ofKey(process)
  }

  next(): number {
    for (let tries = 0; tries < this.count; tries++) {
      this.#turn = (this.#turn + 1) % this.count
      if (this.#isReachable(this.#turn)) break
    }
    return this.#turn
  }

  get shares(): number {
    return this.count
  }

  /** Begins with the next one. */
  inTurn(): readonly number[] {
    const first = this.next()
    const turn = [...this.all.slice(first), ...this.all.slice(0, first)]
    if (turn.every(this.#isReachable)) return turn
    return [...turn.filter(this.#isReachable), ...turn.filter((partition) => !this.#isReachable(partition))]
  }

  first(partitions: readonly number[]): readonly number[] {
    return partitions
  }

  ofKey(key: string): number {
    return partitionOf(key, this.count)
  }

  placesOf(key: string): readonly number[] {
    return [this.ofKey(key)]
  }

  besideIn(partition: number): number {
    return partition
  }

  numberOf(partition: number): number {
    return (this.#generation % NUMBERED_GENERATIONS) * NUMBERS + partition
  }

  numbered(number: number): number {
    return number % NUMBERS
  }

  /** Returns whether the number of a partition is one of this generation. */
  hasNumber(number: number): boolean {
    return Math.floor(number / NUMBERS) === this.#generation % NUMBERED_GENERATIONS
  }

  ofMessagesTo(presence: string): number {
    return this.ofKey(presence)
  }

  heardAt(presence: string): readonly number[] {
    return [this.ofKey(presence)]
  }

  marked(id: string): number | undefined {
    return markOf(id, this.count, this.#generation)
  }

  /** A request that settles a ticket is beside it: its id is `<ticket>.<suffix>`. */
  ofId(id: string): number {
    const dot = id.indexOf('.')
    return dot >= 0 ? this.ofKey(id.slice(0, dot)) : (this.marked(id) ?? this.ofKey(id))
  }

  mark(id: string, partition: number): string {
    return withMark(id, partition, this.#generation)
  }

  ofTemplate({ partition }: EncodedTemplate): readonly number[] | undefined {
    return partition === undefined ? undefined : this.placesOf(partition)
  }

  /** The next one comes first. */
  among(template: EncodedTemplate): readonly number[] {
    return this.ofTemplate(template) ?? this.inTurn()
  }
}

/** Placement: the partition of a key, an id or a process. Every process of a space finds the same. */
import type { EncodedTemplate } from '../../engine.js'

/** Between an id and the partition that it was written to, in base 36. */
const MARK = '~'

export class Placement {
  readonly count: number
  readonly #all: readonly number[]
  readonly #isReachable: (partition: number) => boolean
  #turn: number

  /** `process`: its turns begin elsewhere than those of other processes. */
  constructor(count: number, process: string, isReachable: (partition: number) => boolean = () => true) {
    this.count = count
    this.#all = Array.from({ length: count }, (_, i) => i)
    this.#isReachable = isReachable
    this.#turn = this.ofKey(process)
  }

  /** Returns one partition after the other, for whatever may be in any; one that is away only if all are. */
  next(): number {
    for (let tries = 0; tries < this.count; tries++) {
      this.#turn = (this.#turn + 1) % this.count
      if (this.#isReachable(this.#turn)) break
    }
    return this.#turn
  }

  /** Returns all partitions, beginning with the next one; those that are away come last. */
  inTurn(): readonly number[] {
    const first = this.next()
    const turn = [...this.#all.slice(first), ...this.#all.slice(0, first)]
    if (turn.every(this.#isReachable)) return turn
    return [...turn.filter(this.#isReachable), ...turn.filter((partition) => !this.#isReachable(partition))]
  }

  /** FNV-1a: short, without allocation, and even over keys that differ in their last character only. */
  ofKey(key: string): number {
    let hash = 0x811c9dc5
    for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
    // The low bits of FNV-1a depend on the low bits of the input alone.
    return ((hash ^ (hash >>> 15)) >>> 0) % this.count
  }

  /** Returns the partition that an id was marked with; undefined if it has no mark. */
  marked(id: string): number | undefined {
    const at = id.lastIndexOf(MARK)
    if (at < 0) return undefined
    const partition = Number.parseInt(id.slice(at + 1), 36)
    return partition < this.count ? partition : undefined
  }

  /** Returns the partition of an id. A request that settles a ticket is beside it: its id is `<ticket>.<suffix>`. */
  ofId(id: string): number {
    const dot = id.indexOf('.')
    return dot >= 0 ? this.ofKey(id.slice(0, dot)) : (this.marked(id) ?? this.ofKey(id))
  }

  mark(id: string, partition: number): string {
    return `${id}${MARK}${partition.toString(36)}`
  }

  /** Returns an id without its mark. */
  unmarked(id: string): string {
    return id.slice(0, id.lastIndexOf(MARK))
  }

  /** Returns the only partition with matches; undefined if every partition may have some. */
  ofTemplate({ partition }: EncodedTemplate): number | undefined {
    return partition === undefined ? undefined : this.ofKey(partition)
  }

  /** Returns the partitions that may have matches, the next one first. */
  among(template: EncodedTemplate): readonly number[] {
    const only = this.ofTemplate(template)
    return only === undefined ? this.inTurn() : [only]
  }
}

/** What was added within the last seconds to numbers that only grow. */
import { monotonicMs } from '../clock.js'

/** The time that is looked back. */
const WINDOW_MS = 10_000
/** Time between two marks: one look back is at most so much longer. */
const STEP_MS = 2_500

interface Mark {
  readonly at: number
  readonly numbers: readonly number[]
}

export interface Added {
  readonly ms: number
  /** By the place of each number. */
  readonly numbers: readonly number[]
}

export class Recent {
  readonly #read: () => readonly number[]
  /** Oldest first, at least one. */
  readonly #marks: Mark[]

  /** @param read returns the numbers, of equal length each time */
  constructor(read: () => readonly number[]) {
    this.#read = read
    this.#marks = [{ at: monotonicMs(), numbers: read() }]
  }

  /** Returns what was added since about WINDOW_MS, or since it was made. */
  added(): Added {
    const [now, numbers] = [monotonicMs(), this.#read()]
    while (this.#marks.length > 1 && now - this.#marks[1]!.at >= WINDOW_MS) this.#marks.shift()
    const { at, numbers: before } = this.#marks[0]!
    if (now - this.#marks.at(-1)!.at >= STEP_MS) this.#marks.push({ at: now, numbers })
    return { ms: now - at, numbers: numbers.map((number, i) => number - before[i]!) }
  }
}

/** A number of bytes that all streams of a process share, and the line of those that wait for some. */

export interface InLine {
  /** The least goes first. */
  readonly rank: number
  /** The bytes for which it waits. */
  readonly wanted: number
  /** Called when it may take bytes; it is in the line no longer. */
  turn(): void
}

export class ByteBudget {
  readonly most: number
  taken = 0
  readonly #line = new Set<InLine>()
  /** The first in line, once it was looked for: ranks do not change in the line. */
  #head: InLine | undefined

  constructor(most: number) {
    this.most = most
  }

  get left(): number {
    return this.most - this.taken
  }

  take(bytes: number): void {
    this.taken += bytes
  }

  give(bytes: number): void {
    this.taken -= bytes
    this.#serve()
  }

  /** Puts a stream into the line. Its turn comes at once if there are enough bytes for all before it, and for it. */
  waitForTurn(stream: InLine): void {
    this.#line.add(stream)
    if (this.#head && stream.rank < this.#head.rank) this.#head = stream
    this.#serve()
  }

  leave(stream: InLine): void {
    this.#line.delete(stream)
    if (this.#head === stream) this.#head = undefined
  }

  /** The rest is saved up for the first in line, however much that wants. */
  #serve(): void {
    while (this.#line.size > 0) {
      const first = this.#head ?? this.#first()
      this.#head = first
      if (first.wanted > this.left) return
      this.leave(first)
      first.turn()
    }
  }

  #first(): InLine {
    let first: InLine | undefined
    for (const each of this.#line) if (first === undefined || each.rank < first.rank) first = each
    return first as InLine
  }
}

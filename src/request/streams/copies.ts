/**
 * Copies of chunks whose memory their writers may use again. The memory of a large copy is used for the next one as soon
 * as the reader has its bytes: new memory for each chunk costs more than the copying, most of it in garbage collections.
 */

const SLAB_BYTES = 65_536
/** Smaller copies would waste most of a slab. */
const LEAST_BYTES = 16_384
/** 4 MiB: what four streams have in flight. */
const MOST_FREE = 64

export class Copies {
  readonly #free: ArrayBuffer[] = []
  /** The bytes of each slab in use that the reader does not have. */
  readonly #inUse = new Map<ArrayBufferLike, number>()

  /** Returns the chunk in memory of its own, in one piece or several. */
  of(chunk: Buffer): Buffer[] {
    if (chunk.length < LEAST_BYTES) return [Buffer.from(chunk)]
    const pieces: Buffer[] = []
    for (let at = 0; at < chunk.length; at += SLAB_BYTES) {
      const slab = this.#free.pop() ?? new ArrayBuffer(SLAB_BYTES)
      const piece = Buffer.from(slab, 0, Math.min(chunk.length - at, SLAB_BYTES))
      chunk.copy(piece, 0, at)
      this.#inUse.set(slab, piece.length)
      pieces.push(piece)
    }
    return pieces
  }

  /** The reader has these first bytes of a piece. */
  arrived({ buffer }: Buffer, bytes: number): void {
    const left = this.#inUse.get(buffer)
    if (left === undefined) return
    if (left > bytes) return void this.#inUse.set(buffer, left - bytes)
    this.#inUse.delete(buffer)
    if (this.#free.length < MOST_FREE) this.#free.push(buffer as ArrayBuffer)
  }

  /** The stream ends before the reader has these bytes: they may still be on their way, so their memory is left alone. */
  forget({ buffer }: Buffer): void {
    this.#inUse.delete(buffer)
  }
}

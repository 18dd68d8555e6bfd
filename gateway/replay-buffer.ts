/** A buffer of a streamed body for a retry: in memory, then in a temporary file, up to a limit. */
import { randomBytes } from 'node:crypto'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const MOST_IN_MEMORY = 256 * 1024
const READ_BYTES = 65_536

export class ReplayBuffer {
  readonly #most: number
  readonly #chunks: Buffer[] = []
  #bytes = 0
  #inMemory = 0
  #file: Promise<FileHandle> | undefined
  /** Resolves when the pending writes to the file are done. */
  #writing: Promise<unknown> = Promise.resolve()
  #whole = true

  constructor(most: number) {
    this.#most = most
    this.#whole = most > 0
  }

  /** True while everything that was added is still here. */
  get isWhole(): boolean {
    return this.#whole
  }

  /**
   * Returns a promise that resolves when the chunk is stored: memory is bounded only if the caller waits. Returns
   * undefined if it is stored already, or the limit is exceeded.
   */
  add(chunk: Buffer): Promise<unknown> | undefined {
    if (!this.#whole) return undefined
    if (this.#bytes + chunk.length > this.#most) {
      this.drop()
      return undefined
    }
    this.#bytes += chunk.length
    if (!this.#file && this.#inMemory + chunk.length <= MOST_IN_MEMORY) {
      this.#inMemory += chunk.length
      this.#chunks.push(chunk)
      return undefined
    }
    this.#file ??= anonymous()
    const at = this.#bytes - chunk.length - this.#inMemory
    const file = this.#file
    this.#writing = this.#writing
      .then(async () => (await file).write(chunk, 0, chunk.length, at))
      .catch(() => this.drop())
    return this.#writing
  }

  /** Yields everything that was added, in order. */
  async *chunks(): AsyncGenerator<Buffer> {
    yield* this.#chunks
    await this.#writing
    const file = await this.#file
    const end = this.#bytes - this.#inMemory
    for (let at = 0; file && at < end; ) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(READ_BYTES), 0, Math.min(READ_BYTES, end - at), at)
      if (bytesRead === 0) throw new Error('The temporary file is shorter than what was written into it.')
      at += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  }

  /** Drops everything: the body is no longer needed, or too long. */
  drop(): void {
    this.#whole = false
    this.#chunks.length = 0
    const file = this.#file
    this.#file = undefined
    void this.#writing.then(async () => (await file)?.close()).catch(() => {})
  }
}

/** Opens a file without a name, so that it is gone with the process. */
async function anonymous(): Promise<FileHandle> {
  const path = join(tmpdir(), `takespace-${randomBytes(9).toString('base64url')}`)
  const file = await open(path, 'wx+', 0o600)
  await unlink(path)
  return file
}

/**
 * Upload: the rest of a streamed request body on its way to the worker, and from the start again to the next worker.
 */
import type { IncomingMessage } from 'node:http'
import { encodeTrailers } from '../src/request/message.js'
import type { StreamWriter } from '../src/request/streams/index.js'
import { roomIn } from '../src/request/streams/web.js'
import { endOf, trailersOf } from './body.js'
import type { BodyLimits } from './limits.js'
import { BODY_TOO_SLOW, type Refusal } from './refusals.js'
import type { ReplayBuffer } from './replay-buffer.js'
import type { Receiving } from './uploads.js'

/** A client that sends less than FLOOR_BYTES in FLOOR_LOOKS looks while it is being read gets 408: 80 bytes a second. */
const FLOOR_BYTES = 2_048
const FLOOR_LOOKS = 5
const LOOK_MS = 5_000

export class Upload implements Receiving {
  /** Called on progress. */
  onProgress: (() => void) | undefined
  /** Called when the upload fails, with a Refusal or CLIENT_GONE. */
  onFailed: ((reason: unknown) => void) | undefined
  readonly #req: IncomingMessage
  readonly #limits: BodyLimits
  readonly #kept: ReplayBuffer
  #writer: StreamWriter | undefined
  #bytes: number
  #ended = false
  #stopped = false
  /** True while the buffered beginning is sent again. */
  #repeating = false
  #floor: NodeJS.Timeout
  /** The number of bytes at each of the last looks while the client was read. */
  #looks: number[]

  /** `prefixBytes` of the body were read before. */
  constructor(req: IncomingMessage, prefixBytes: number, limits: BodyLimits, kept: ReplayBuffer) {
    this.#req = req
    this.#limits = limits
    this.#kept = kept
    this.#bytes = prefixBytes
    this.#looks = [prefixBytes]
    this.#floor = setInterval(() => this.#checkFloor(), LOOK_MS).unref()
    req.on('data', this.#onData).on('end', this.#onEnd).on('error', this.#onGone).on('close', this.#onGone)
    req.pause()
  }

  get bytes(): number {
    return this.#bytes
  }

  get isStalled(): boolean {
    return !this.#ended && !this.#req.isPaused()
  }

  /** True if another worker can be given the complete body. */
  get canRepeat(): boolean {
    return this.#kept.isWhole
  }

  /** Sends the body to this writer from now on; to a second one from the start. */
  async to(writer: StreamWriter): Promise<void> {
    const isFirst = this.#writer === undefined
    this.#writer = writer
    writer.onDrain = () => this.#flow()
    this.#repeating = !isFirst
    try {
      if (!isFirst) {
        for await (const chunk of this.#kept.chunks()) {
          if (!writer.write(chunk)) await roomIn(writer)
          if (this.#writer !== writer) return
          this.onProgress?.()
        }
        writer.onDrain = () => this.#flow()
      }
    } catch (error) {
      this.onFailed?.(error)
    } finally {
      if (this.#writer === writer) this.#repeating = false
    }
    if (this.#ended) this.#finish()
    else this.#flow()
  }

  fail(reason: Refusal): void {
    this.onFailed?.(reason)
  }

  /** Ends the upload: no worker reads it. */
  stop(): void {
    if (this.#stopped) return
    this.#stopped = true
    clearInterval(this.#floor)
    this.#kept.drop()
    this.#req.off('data', this.#onData).off('end', this.#onEnd).off('error', this.#onGone).off('close', this.#onGone)
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#bytes += chunk.length
    try {
      this.#limits.checkSoFar(this.#bytes)
    } catch (refusal) {
      this.onFailed?.(refusal)
      return
    }
    this.onProgress?.()
    const keeping = this.#kept.add(chunk)
    const room = this.#writer!.write(chunk)
    if (room && !keeping) return
    this.#req.pause()
    if (keeping) void keeping.then(() => this.#flow())
  }

  readonly #onEnd = (): void => {
    this.#ended = true
    clearInterval(this.#floor)
    this.onProgress?.()
    if (!this.#repeating) this.#finish()
  }

  readonly #onGone = (reason?: unknown): void => {
    if (!this.#ended) this.onFailed?.(endOf(reason))
  }

  #finish(): void {
    this.#writer?.end(encodeTrailers(trailersOf(this.#req)))
  }

  #flow(): void {
    if (this.#stopped || this.#repeating || this.#ended || !this.#writer?.hasRoom) return
    this.onProgress?.()
    this.#req.resume()
  }

  /** A paused client is not slow. */
  #checkFloor(): void {
    if (this.#req.isPaused()) this.#looks.length = 0
    const first = this.#looks.length === FLOOR_LOOKS ? this.#looks.shift() : undefined
    this.#looks.push(this.#bytes)
    if (first !== undefined && this.#bytes - first < FLOOR_BYTES) this.onFailed?.(BODY_TOO_SLOW)
  }
}

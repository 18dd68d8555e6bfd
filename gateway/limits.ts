/** The limits of a gateway: requests in flight, bytes of bodies in memory, bytes of one body. */
import { bodyTooLarge, OVERLOADED, type Refusal } from './refusals.js'

/** Maximum bytes of all bodies in the memory of one process. */
const MAX_HELD_BYTES = 256 * 1024 * 1024

export class Limits {
  #inFlight = 0
  #heldBytes = 0
  #whenIdle: (() => void)[] = []

  constructor(
    readonly maxInFlight: number,
    readonly maxHeldBytes: number = MAX_HELD_BYTES,
  ) {}

  /** Requests in flight. */
  get inFlight(): number {
    return this.#inFlight
  }

  /** Counts a request, or throws a Refusal. Each enter() is followed by one leave(). */
  enter(): void {
    if (this.#inFlight >= this.maxInFlight) throw OVERLOADED
    this.#inFlight++
  }

  leave(heldBytes: number): void {
    this.#heldBytes -= heldBytes
    this.#inFlight--
    if (this.#inFlight === 0 && this.#whenIdle.length > 0) for (const resolve of this.#whenIdle.splice(0)) resolve()
  }

  /** Counts bytes of a body. Throws a Refusal, and counts nothing, if all bodies together have too many. */
  hold(bytes: number): void {
    if (this.#heldBytes + bytes > this.maxHeldBytes) throw OVERLOADED
    this.#heldBytes += bytes
  }

  /** Resolves when no request is in flight. */
  idle(): Promise<void> {
    if (this.#inFlight === 0) return Promise.resolve()
    return new Promise((resolve) => this.#whenIdle.push(resolve))
  }
}

/** The limits of the bodies of one service. */
export class BodyLimits {
  readonly #limits: Limits
  readonly #maxBytes: number
  readonly #tooLarge: Refusal

  /** `setting` names the option, for the message of the refusal. */
  constructor(limits: Limits, maxBytes: number, setting: string) {
    this.#limits = limits
    this.#maxBytes = maxBytes
    this.#tooLarge = bodyTooLarge(maxBytes, setting)
  }

  /** Throws a Refusal if the announced length is too large, before the body is read. */
  checkAnnounced(length: number): void {
    if (length > this.#maxBytes) throw this.#tooLarge
  }

  /** Throws a Refusal if this many bytes of one body are too many. */
  checkSoFar(bytes: number): void {
    if (bytes > this.#maxBytes) throw this.#tooLarge
  }

  /**
   * Counts `bytes` more of a body of which `before` are held. Throws a Refusal, and counts nothing, if a limit is
   * exceeded.
   */
  hold(before: number, bytes: number): void {
    this.checkSoFar(before + bytes)
    this.#limits.hold(bytes)
  }
}

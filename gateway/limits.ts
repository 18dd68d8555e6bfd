/** How much a gateway takes on at a time: requests in flight, bytes of bodies held, bytes of one body. */
import { bodyTooLarge, OVERLOADED, type Refusal } from './refusals.js'

/** Bodies held by one process at a time, whatever the number of requests. */
const MAX_HELD_BYTES = 256 * 1024 * 1024

export class Limits {
  #inFlight = 0
  #heldBytes = 0
  #whenIdle: (() => void)[] = []
  readonly #tooLarge: Refusal

  constructor(
    readonly maxBodyBytes: number,
    readonly maxInFlight: number,
    readonly maxHeldBytes: number = MAX_HELD_BYTES,
  ) {
    this.#tooLarge = bodyTooLarge(maxBodyBytes, 'limits.bodyBytes of the gateway, --max-body-bytes')
  }

  /** Counts a request in, or refuses it. Whoever entered leaves, once. */
  enter(): void {
    if (this.#inFlight >= this.maxInFlight) throw OVERLOADED
    this.#inFlight++
  }

  leave(heldBytes: number): void {
    this.#heldBytes -= heldBytes
    this.#inFlight--
    if (this.#inFlight === 0 && this.#whenIdle.length > 0) for (const resolve of this.#whenIdle.splice(0)) resolve()
  }

  /** Refuses a body that announces more than is accepted, before a byte of it is read. */
  checkAnnounced(length: number): void {
    if (length > this.maxBodyBytes) throw this.#tooLarge
  }

  /** A body of which so much has come is not refused for its length yet. */
  checkSoFar(bytes: number): void {
    if (bytes > this.maxBodyBytes) throw this.#tooLarge
  }

  /** Counts `bytes` more of a body of which `before` are held. A Refusal means that they were not counted. */
  hold(before: number, bytes: number): void {
    if (before + bytes > this.maxBodyBytes) throw this.#tooLarge
    if (this.#heldBytes + bytes > this.maxHeldBytes) throw OVERLOADED
    this.#heldBytes += bytes
  }

  /** Resolves when no request is in flight. */
  idle(): Promise<void> {
    if (this.#inFlight === 0) return Promise.resolve()
    return new Promise((resolve) => this.#whenIdle.push(resolve))
  }
}

/**
 * Messages from process to process, on the connection of large bodies: published to the current subscribers, never
 * stored.
 */
import type { OnMessagePart } from '../../../engine.js'
import type { Keys } from '../keys.js'
import type { Link } from './link.js'

const FIRST_RETRY_MS = 20
const LONGEST_RETRY_MS = 1_000

export class Frames {
  readonly #keys: Keys
  #link: Link | undefined
  #onPart: OnMessagePart | undefined
  #onGap: (() => void) | undefined
  #hearing: Promise<void> | undefined
  #heardOnce: (() => void) | undefined
  #retry: NodeJS.Timeout | undefined
  #retryMs = FIRST_RETRY_MS
  #closed = false

  constructor(keys: Keys) {
    this.#keys = keys
  }

  up(link: Link): void {
    this.#link = link
    if (this.#hearing) void this.#subscribe(link)
  }

  down(): void {
    this.#link = undefined
    clearTimeout(this.#retry)
  }

  /** Subscribes again after a while: the connection for bodies has ended without the other one. */
  deaf(): void {
    const link = this.#link
    if (this.#closed || !link) return
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => {
      if (this.#link === link) void this.#subscribe(link)
    }, this.#retryMs).unref()
    this.#retryMs = Math.min(this.#retryMs * 2, LONGEST_RETRY_MS)
  }

  heard(part: Buffer, isFirst: boolean): void {
    this.#onPart?.(part, isFirst)
  }

  async post(presence: string, message: readonly Buffer[]): Promise<boolean> {
    try {
      return ((await this.#link?.post(this.#keys.messages(presence), message)) ?? 0) > 0
    } catch {
      // Cut before the reply: a caller that must know whether the message arrived asks the receiver.
      return false
    }
  }

  hear(onPart: OnMessagePart, onGap: () => void): Promise<void> {
    this.#onPart = onPart
    this.#onGap = onGap
    this.#hearing ??= new Promise((resolve) => {
      this.#heardOnce = resolve
      if (this.#link) void this.#subscribe(this.#link)
    })
    return this.#hearing
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#retry)
  }

  async #subscribe(link: Link): Promise<void> {
    try {
      await link.hear()
      if (this.#link !== link) return
      this.#retryMs = FIRST_RETRY_MS
      if (this.#heardOnce) this.#heardOnce()
      else this.#onGap?.()
      this.#heardOnce = undefined
    } catch {
      this.deaf()
    }
  }
}

/** Inbox: the events of one listener, in order; a slow listener delays no other. */
import type { Stored } from '../engine.js'

/** An event as it arrives. */
export interface ArrivedEvent {
  readonly stored: Stored
  readonly sequence: number
}

export interface InboxOptions {
  readonly onMissed?: ((count: number, sequence: number) => void) | undefined
  readonly onError?: ((error: unknown) => void) | undefined
  readonly onEnded?: (() => void) | undefined
  readonly cancelOnError?: boolean | undefined
  /** Maximum number of events that the listener gets at a time. Default 1. */
  readonly maxBatch?: number | undefined
  /** How long a batch that is not full is waited for, in ms. Default 0: the listener gets what is there. */
  readonly maxWaitMs?: number | undefined
}

/** Maximum number of events that wait for a slow listener; further ones are missed. */
export const MOST_WAITING = 10_000

export class Inbox {
  readonly #listen: (events: readonly ArrivedEvent[]) => unknown
  readonly #options: InboxOptions
  readonly #onCancel: () => void
  readonly #mostAtOnce: number
  readonly #maxWaitMs: number
  #waiting: ArrivedEvent[] = []
  /** Ends the wait for a full batch. */
  #endWait: (() => void) | undefined
  #busy = false
  #missed = 0
  #lastMissed = 0
  #ended = false

  /** `onCancel`: the registration is to end, since the listener has failed. */
  constructor(listen: (events: readonly ArrivedEvent[]) => unknown, options: InboxOptions, onCancel: () => void) {
    this.#listen = listen
    this.#options = options
    this.#onCancel = onCancel
    this.#mostAtOnce = options.maxBatch ?? 1
    this.#maxWaitMs = options.maxWaitMs ?? 0
  }

  /** True if the registration was cancelled because the listener failed. */
  get isOver(): boolean {
    return this.#ended
  }

  push(stored: Stored, sequence: number): void {
    if (this.#waiting.length >= MOST_WAITING) {
      this.#missed++
      this.#lastMissed = sequence
      return
    }
    this.#tellMissed()
    this.#waiting.push({ stored, sequence })
    if (this.#isFull) this.#endWait?.()
    if (!this.#busy) void this.#run()
  }

  missed(count: number, sequence: number): void {
    this.#guarded(() => this.#options.onMissed?.(count, sequence))
  }

  /** The registration has ended: a batch is waited for no longer. */
  ended(): void {
    this.#endWait?.()
    this.#guarded(() => this.#options.onEnded?.())
  }

  get #isFull(): boolean {
    return this.#waiting.length >= this.#mostAtOnce
  }

  async #run(): Promise<void> {
    this.#busy = true
    while (this.#waiting.length > 0 && !this.#ended) {
      if (!this.#isFull && this.#maxWaitMs > 0) await this.#untilFull(this.#maxWaitMs)
      const arrived = this.#waiting
      this.#waiting = []
      for (let from = 0; from < arrived.length && !this.#ended; from += this.#mostAtOnce) {
        const batch = arrived.slice(from, from + this.#mostAtOnce)
        if (from > 0 && batch.length < this.#mostAtOnce && this.#maxWaitMs > 0) {
          // The rest waits for more.
          this.#waiting.unshift(...batch)
          break
        }
        try {
          await this.#listen(batch)
        } catch (error) {
          this.#failed(error)
        }
      }
      // There may be no later event that would report the missed ones.
      this.#tellMissed()
    }
    this.#busy = false
  }

  /** The timer does not keep the process alive. */
  #untilFull(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms).unref()
      this.#endWait = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  #tellMissed(): void {
    const missed = this.#missed
    this.#missed = 0
    if (missed > 0) this.missed(missed, this.#lastMissed)
  }

  #failed(error: unknown): void {
    this.#guarded(() => this.#options.onError?.(error))
    if (!this.#options.cancelOnError) return
    this.#ended = true
    this.#onCancel()
  }

  /** Errors of the user's callbacks are dropped. */
  #guarded(call: () => void): void {
    try {
      call()
    } catch {}
  }
}

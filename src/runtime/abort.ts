/** Abort: shared listening to signals. The only file that adds listeners to a user's signals. */

/** By signal: one listener that calls all of ours. Node.js warns of a leak when a signal has more than ten. */
const shared = new WeakMap<AbortSignal, Listeners>()

class Listeners {
  readonly #signal: AbortSignal
  readonly #each = new Set<{ call(): void }>()

  constructor(signal: AbortSignal) {
    this.#signal = signal
    signal.addEventListener('abort', this.#onAbort, { once: true })
    shared.set(signal, this)
  }

  add(listener: { call(): void }): void {
    this.#each.add(listener)
  }

  /** Removes a listener; the last one removes that of the signal. */
  remove(listener: { call(): void }): void {
    if (!this.#each.delete(listener) || this.#each.size > 0) return
    this.#signal.removeEventListener('abort', this.#onAbort)
    shared.delete(this.#signal)
  }

  readonly #onAbort = (): void => {
    shared.delete(this.#signal)
    for (const listener of this.#each) {
      try {
        listener.call()
      } catch (error) {
        // As in an EventTarget: the other listeners are called too.
        queueMicrotask(() => {
          throw error
        })
      }
    }
    this.#each.clear()
  }
}

/**
 * Calls `listener` once when the signal fires; never if it had fired before.
 *
 * @returns a function that ends that
 */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  if (signal.aborted) return () => {}
  const listeners = shared.get(signal) ?? new Listeners(signal)
  const entry = { call: listener }
  listeners.add(entry)
  return () => listeners.remove(entry)
}

/**
 * Runs a function with a signal that fires with the first of these. Unlike AbortSignal.any it leaves nothing on
 * long-lived signals.
 */
export async function underAny<T>(
  signals: readonly AbortSignal[],
  fn: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const ends = signals.map((signal) => onAbort(signal, () => controller.abort(signal.reason)))
  const fired = signals.find(({ aborted }) => aborted)
  if (fired) controller.abort(fired.reason)
  try {
    return await fn(controller.signal)
  } finally {
    for (const end of ends) end()
  }
}

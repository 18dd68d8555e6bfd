/** whenAvailable: tries something whenever a match may have become available, until it succeeds or the wait ends. */
import { monotonicMs } from '../clock.js'
import { Wait } from '../runtime/wait.js'

/**
 * Returns what `attempt` returns, if it is not null; null at the end of the wait.
 * @param watch begins to call its argument when a match becomes available; returns how to end that
 * @throws signal.reason; the error of `attempt` or `watch`
 */
export async function whenAvailable<T>(
  attempt: () => Promise<T | null>,
  watch: (onSeen: () => void) => Promise<() => void>,
  waitMs: number,
  signal: AbortSignal,
): Promise<T | null> {
  const endsAt = monotonicMs() + waitMs
  /** Resolves when `begin` has called its first argument, or the wait is over. */
  const pause = (begin: (wake: () => void, fail: (error: unknown) => void) => void): Promise<void> => {
    const wait = new Wait<void>()
    const wake = (): void => wait.resolve()
    wait.until(Math.max(endsAt - monotonicMs(), 0), wake, signal, () => wait.reject(signal.reason))
    begin(wake, (error) => wait.reject(error))
    return wait.promise
  }
  // A match may have come before it was watched for.
  let isSeen = true
  let onSeen = (): void => {}
  signal.throwIfAborted()
  const unwatch = watch(() => {
    isSeen = true
    onSeen()
  })
  try {
    await pause((wake, fail) => void unwatch.then(wake, fail))
    for (;;) {
      signal.throwIfAborted()
      if (isSeen) {
        isSeen = false
        const result = await attempt()
        if (result !== null) return result
        continue
      }
      if (monotonicMs() >= endsAt) return null
      await pause((wake) => {
        onSeen = wake
      })
    }
  } finally {
    void unwatch.then((end) => end()).catch(() => {})
  }
}

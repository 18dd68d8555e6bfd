/** settled: a promise with a deadline and a signal, and what is to be done when one of these comes first. */
import { onAbort } from './abort.js'

/** Whichever comes first: the promise, the deadline, or the caller's signal; after either of these two `withdraw` is called. */
export function settled<T>(
  promise: Promise<T>,
  { timeoutMs, signal, late }: { timeoutMs: number; signal: AbortSignal | undefined; late: () => unknown },
  withdraw: () => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer)
      unlisten?.()
    }
    const giveUp = (reason: unknown): void => {
      // Of what is withdrawn nothing more is heard.
      settle()
      withdraw()
      reject(reason)
    }
    const timer = setTimeout(() => giveUp(late()), timeoutMs)
    const unlisten = signal && onAbort(signal, () => giveUp(signal.reason))
    promise.then(
      (value) => {
        settle()
        resolve(value)
      },
      (error) => {
        settle()
        reject(error)
      },
    )
  })
}

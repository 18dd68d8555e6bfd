/** Promises with a deadline: whichever comes first of a result, the end of a time, and an AbortSignal. */
import { LONGEST_TIMER_MS } from '../clock.js'
import { onAbort } from './abort.js'
import type { Timeout, Timeouts } from './timeouts.js'

export interface DeadlineTerms {
  /** In ms; a longer time than Node.js timers have (24 days) counts as that. Default Infinity: no timer. */
  readonly timeoutMs?: number
  /** Default: a timer of its own. */
  readonly timeouts?: Pick<Timeouts, 'start'>
  /** Fires before the time is over. A signal that had fired before the call is not heeded. */
  readonly signal?: AbortSignal | undefined
  /** Returns the reason of the rejection at the end of the time. */
  readonly late?: () => unknown
  /** Called when the time or the signal came first, before the rejection. */
  readonly onGivenUp?: () => void
  /** Called at once with a function that starts the time anew, for a wait that progress prolongs. */
  readonly onStart?: (restart: () => void) => void
}

/**
 * Returns the result of `promise`. Rejects with `late()` when the time is over and with `signal.reason` when the signal
 * fires; what becomes of `promise` after that is dropped.
 */
export function withDeadline<T>(promise: Promise<T>, terms: DeadlineTerms): Promise<T> {
  const { timeoutMs = Number.POSITIVE_INFINITY, timeouts = OWN_TIMER, signal, late, onGivenUp, onStart } = terms
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      timeout?.end()
      unlisten?.()
    }
    const giveUp = (reason: unknown): void => {
      settle()
      onGivenUp?.()
      reject(reason)
    }
    const timeout =
      timeoutMs === Number.POSITIVE_INFINITY ? undefined : timeouts.start(timeoutMs, () => giveUp(late?.()))
    const unlisten = signal && onAbort(signal, () => giveUp(signal.reason))
    onStart?.(() => timeout?.restart())
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

const OWN_TIMER: Pick<Timeouts, 'start'> = {
  start(ms, onOver): Timeout {
    const timer = setTimeout(onOver, Math.min(ms, LONGEST_TIMER_MS))
    return { restart: () => void timer.refresh(), end: () => clearTimeout(timer) }
  },
}

/** Returns the result, or undefined at the end of `ms`. Rejects if the promise rejected within `ms`. */
export const valueWithin = <T>(ms: number, promise: Promise<T>): Promise<T | undefined> =>
  withDeadline<T | undefined>(promise, { timeoutMs: ms, late: () => TIME_OVER }).catch((error) => {
    if (error !== TIME_OVER) throw error
    return undefined
  })

/** Returns whether the promise resolved within `ms`. Rejects if the promise rejected within `ms`. */
export const within = async (ms: number, promise: Promise<unknown>): Promise<boolean> =>
  (await valueWithin(
    ms,
    promise.then(() => true),
  )) === true

/** Resolves after `ms`. Rejects with `signal.reason` when the signal fires before. */
export const pause = (ms: number, signal: AbortSignal): Promise<void> => {
  const never = new Promise<void>(() => {})
  return withDeadline(never, { timeoutMs: ms, signal, late: () => TIME_OVER }).catch((error) => {
    if (error !== TIME_OVER) throw error
  })
}

/** The reason of a time that is over, where that is no failure. */
const TIME_OVER = Symbol('late')

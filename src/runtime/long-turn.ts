/** Ends turns of the event loop that calls without a wait prolong: a loop over them would keep timers and I/O waiting. */
import { monotonicMs } from '../clock.js'

/** A turn that is longer is ended by the next call. */
const LONGEST_TURN_MS = 10

let beganAt: number | undefined

/** Returns a promise for the next turn if the present one has been long; undefined if it may go on. */
export function endOfLongTurn(): Promise<void> | undefined {
  const now = monotonicMs()
  if (beganAt === undefined) {
    beganAt = now
    setImmediate(() => {
      beganAt = undefined
    })
  }
  if (now - beganAt < LONGEST_TURN_MS) return undefined
  return new Promise((resolve) => {
    setImmediate(() => {
      beganAt = undefined
      resolve()
    })
  })
}

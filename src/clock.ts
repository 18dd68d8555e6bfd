/** The two clocks: wall time for people, monotonic time for durations. The only file that reads the machine's clock. */

/** ms since 1970 on the wall clock. It may step: for display, never to measure a wait. */
export const wallMs = (): number => Date.now()

/** ms since a fixed moment of this process. It never steps: for every wait and every lease. */
export const monotonicMs = (): number => performance.now()

/** The longest timer of Node.js, in ms; longer waits are cut to it and restarted by their callers. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1

/** The two clocks: what time it is for people, and how much time has passed. No other file asks the machine. */

/** Milliseconds since 1970 on the wall clock. It may step; use it for what people read, never to measure a wait. */
export const wallMs = (): number => Date.now()

/** Milliseconds since some fixed moment of this process. It never steps; every wait and every trust is measured on it. */
export const monotonicMs = (): number => performance.now()

/** The longest wait a Node.js timer can express; a longer one (or Infinity) is cut to this and started again by its caller. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1

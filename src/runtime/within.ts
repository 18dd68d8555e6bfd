/** Waits for something, but no longer than it may take. */
import { LONGEST_TIMER_MS } from '../clock.js'

/** Whether it resolved within that time, in ms. Rejects if it rejected within it; what becomes of it later is nobody's concern. */
export async function within(ms: number, promise: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, Math.min(ms, LONGEST_TIMER_MS), false)
  })
  try {
    return await Promise.race([promise.then(() => true), late])
  } finally {
    clearTimeout(timer)
  }
}

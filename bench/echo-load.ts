/** A load on the task `echo` (processes/echo-worker.mjs): so many calls are always in flight. */
import { createClient, type Space } from '../dist/src/index.js'

/** Returns what loads the task for some ms, and then tells how many calls were answered. */
export function echoLoad(space: Space, inFlight: number): (ms: number) => Promise<number> {
  const client = createClient({ space })
  const call = async (until: number): Promise<number> => {
    let count = 0
    for (; performance.now() < until; count++) await client.call('echo', count)
    return count
  }
  return async (ms) => {
    const until = performance.now() + ms
    const counts = await Promise.all(Array.from({ length: inFlight }, () => call(until)))
    return counts.reduce((sum, count) => sum + count, 0)
  }
}

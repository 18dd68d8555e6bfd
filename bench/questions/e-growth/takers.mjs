/** The cost of a write while takers wait for other entries of the same kind. */
import { inTurns } from './sizes.mjs'

export const GROUP = 'writes, 64 in flight, by waiting takers of something else'
const SIZES = [0, 100, 1_000, 10_000]
const WARM_UP_MS = 300

export function takers(bench) {
  const { children, redis, seconds, quick } = bench
  return inTurns(bench, GROUP, quick ? [0, 1_000] : SIZES, async (size) => {
    const options = { url: redis.url, name: `takers-${size}`, inFlight: 64, warmUpMs: WARM_UP_MS, seconds }
    const waiting = await children.fork('waiting', 'waiting', { ...options, takers: size })
    const driver = await children.fork('write', 'write', options)
    return { driver, roles: { client: [driver.pid], waiting: [waiting.pid] } }
  })
}

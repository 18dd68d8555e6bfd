/** The cost of a request while entries of other kinds are resident in its space. */
import { inTurns } from './sizes.mjs'

export const GROUP = 'requests, 64 in flight, by resident entries'
const SIZES = [1_000, 10_000, 100_000, 1_000_000]
const WARM_UP_MS = 300

/** A million entries, on a machine that others use, too. */
const FILL_MS = 240_000

export function entries(bench) {
  const { children, redis, seconds, quick } = bench
  return inTurns(bench, GROUP, quick ? SIZES.slice(0, 2) : SIZES, async (size) => {
    const name = `resident-${size}`
    const filling = await children.fork('fill', 'fill', { url: redis.url, name, entries: size }, {}, FILL_MS)
    filling.kill('SIGTERM')
    await redis.forgetSweep(name)
    const options = { contender: 'takespace-raw', url: redis.url, name, inFlight: 64, warmUpMs: WARM_UP_MS, seconds }
    const worker = await children.fork('resident-worker', 'contender', { ...options, side: 'worker' })
    const driver = await children.fork('resident-client', 'contender', { ...options, side: 'client' })
    return { driver, roles: { client: [driver.pid], workers: [worker.pid] } }
  })
}

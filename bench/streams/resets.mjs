/** Part resets: of many clients that wait some go: how soon what nobody had taken is withdrawn, and what ran is aborted. */
import { request } from 'node:http'
import { Redis } from 'ioredis'
import { percentile, startSystem } from './system.mjs'

const CLIENTS = 5_000
const RESETS = 1_000
const RUNNING = 32
const LEASE_MS = 15_000

export async function resets({ aof }) {
  const system = await startSystem({
    aof,
    processes: 2,
    concurrency: RUNNING / 2,
    gatewayFlags: ['--timeout-ms', '120000'],
  })
  const redis = new Redis(system.redis.url)
  const written = () => redis.hlen('{ts:default}:entries')
  const until = async (holds) => {
    const since = performance.now()
    while (!(await holds())) {
      if (performance.now() - since > 60_000) throw new Error('it did not come to that')
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  try {
    const requests = []
    for (let n = 0; n < CLIENTS; n++) {
      const req = request(`${system.url}/wait?ms=60000&n=${n}`, { agent: false }).end()
      req.on('error', () => {})
      requests.push(req)
      if (n % 100 === 99) await until(async () => (await written()) > n - 100)
    }
    await until(async () => (await written()) === CLIENTS)
    const begun = system.notes().filter(({ event }) => event === 'begun')
    const waiting = begun.filter(({ url }) => url.startsWith('/wait')).map(({ url }) => Number(/n=(\d+)/.exec(url)[1]))
    // All that run, and of those that wait as many as make a thousand.
    const gone = new Set(waiting)
    for (let n = CLIENTS - 1; gone.size < RESETS; n--) gone.add(n)
    const at = Date.now()
    for (const n of gone) requests[n].destroy()
    await until(async () => (await written()) <= CLIENTS - RESETS)
    const withdrawnMs = Date.now() - at
    const aborts = () => system.notes().filter(({ event, at: when }) => event === 'aborted' && when >= at)
    await until(() => aborts().length >= waiting.length)
    const took = aborts().map(({ at: when }) => when - at)
    const wrongly = () =>
      system.notes().filter(({ event, url, at: when }) => {
        const n = Number(/n=(\d+)/.exec(url)?.[1])
        return event === 'begun' && when > at + 1_000 && gone.has(n)
      })
    for (const req of requests) req.destroy()
    await until(async () => (await written()) === 0)
    await new Promise((resolve) => setTimeout(resolve, 2 * LEASE_MS))
    const keys = (await redis.keys('*')).filter((key) => !/\}:(m|K|x\d+|S|[scopq][\w-]{22}|W|Wn|wt@.*)$/.test(key))
    return [
      `${RESETS} of ${CLIENTS} waiting clients reset: ${RESETS - waiting.length} untaken ones withdrawn after ${withdrawnMs} ms, ${waiting.length} running ones aborted after ${percentile(took, 50)} ms, the last ${Math.max(...took)} ms; begun afterwards ${wrongly().length}; left in Redis after twice the lease: ${keys.length} ${keys.join(' ')}`,
    ]
  } finally {
    redis.disconnect()
    await system.stop()
  }
}

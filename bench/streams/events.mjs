/** Part events: many clients of event streams; from written to received, and from a worker's death to each of its clients knowing. */
import { once } from 'node:events'
import { request } from 'node:http'
import { percentile, startSystem } from './system.mjs'

const CLIENTS = 500
const PER_SECOND = 10

async function client(url, took) {
  const req = request(`${url}/events?perSecond=${PER_SECOND}`, { agent: false }).end()
  req.on('error', () => {})
  const [res] = await once(req, 'response')
  const seen = { pid: Number(res.headers['x-pid']), count: 0, brokenAt: 0, destroy: () => req.destroy() }
  let text = ''
  res.setEncoding('utf8').on('data', (chunk) => {
    text += chunk
    const now = Date.now()
    const end = text.lastIndexOf('\n\n')
    for (const [, at] of text.slice(0, end).matchAll(/data: (\d+)/g)) {
      seen.count++
      if (took.open) took.push(now - Number(at))
    }
    text = text.slice(end)
  })
  res.on('error', () => {
    seen.brokenAt = performance.now()
  })
  return seen
}

export async function events({ seconds, aof }) {
  const system = await startSystem({ aof, processes: 3 })
  try {
    const took = []
    const clients = []
    for (let n = 0; n < CLIENTS; n++) clients.push(await client(system.url, took))
    took.open = true
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000))
    took.open = false
    const [{ pid }] = clients
    const its = clients.filter((seen) => seen.pid === pid)
    const at = performance.now()
    process.kill(pid, 'SIGKILL')
    while (its.some(({ brokenAt }) => brokenAt === 0) && performance.now() - at < 30_000) {
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    const seen = its.map(({ brokenAt }) => (brokenAt === 0 ? Number.POSITIVE_INFINITY : brokenAt - at))
    const others = clients.filter((each) => each.pid !== pid && each.brokenAt > 0).length
    for (const { destroy } of clients) destroy()
    return [
      `${CLIENTS} clients at ${PER_SECOND} a second: ${took.length} events in ${seconds} s (${CLIENTS * PER_SECOND * seconds} asked), from written to received p50 ${percentile(took, 50)} ms, p99 ${percentile(took, 99)} ms`,
      `kill -9 of a worker: seen by its ${its.length} clients after ${percentile(seen, 50)} ms, the last ${percentile(seen, 100)} ms; others cut: ${others}`,
    ]
  } finally {
    await system.stop()
  }
}

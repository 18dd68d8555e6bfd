/** Part chunks: 5 MB in 500 chunks, up and down, the median of some; beside the same app asked directly. */
import { once } from 'node:events'
import { request } from 'node:http'
import { direct, WAYS } from './large.mjs'
import { percentile, startSystem } from './system.mjs'

const CHUNKS = 500
const CHUNK = Buffer.alloc(10_000, 'x')
const BYTES = CHUNKS * CHUNK.length
const ROUNDS = 41

const PASSES = {
  async up(url) {
    const req = request(`${url}/up`, { method: 'POST', agent: false })
    const response = once(req, 'response')
    for (let n = 0; n < CHUNKS; n++) if (!req.write(CHUNK)) await once(req, 'drain')
    req.end()
    const [res] = await response
    let text = ''
    for await (const chunk of res) text += chunk
    return JSON.parse(text).bytes
  },
  async down(url) {
    const [res] = await once(
      request(`${url}/down?bytes=${BYTES}&chunk=${CHUNK.length}`, { agent: false }).end(),
      'response',
    )
    let bytes = 0
    for await (const chunk of res) bytes += chunk.length
    return bytes
  },
}

/** Returns the median time of each way, in ms. */
async function medians(url) {
  const found = {}
  for (const [way, pass] of Object.entries(PASSES)) {
    const times = []
    for (let round = 0; round < ROUNDS; round++) {
      const since = performance.now()
      if ((await pass(url)) !== BYTES) throw new Error('not all has arrived')
      times.push(performance.now() - since)
    }
    found[way] = percentile(times.slice(5), 50)
  }
  return found
}

export async function chunks({ aof }) {
  const app = await direct()
  const figures = {}
  try {
    for (const [name, flags] of Object.entries(WAYS)) {
      const system = await startSystem({ aof, processes: 1, flags })
      try {
        figures[name] = await medians(system.url)
      } finally {
        await system.stop()
      }
    }
    figures['the app, directly'] = await medians(app.url)
  } finally {
    app.stop()
  }
  const bare = figures['the app, directly']
  return Object.entries(figures).map(
    ([name, { up, down }]) =>
      `${name}, 5 MB in ${CHUNKS} chunks: ${up} ms up (${(up / bare.up).toFixed(1)} ×), ${down} ms down (${(down / bare.down).toFixed(1)} ×)`,
  )
}

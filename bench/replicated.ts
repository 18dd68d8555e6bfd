/**
 * `npm run bench:replicated`: what `replicated:1` costs beside `local`, in pairs: request/reply between two processes over a
 * primary with one replica.
 */
import { fileURLToPath } from 'node:url'
import { openSpace } from '../dist/src/index.js'
import { startProcess } from '../test/support/process.js'
import { type Replicas, startReplicas } from '../test/support/replicas.js'
import { echoLoad } from './echo-load.js'
import { median } from './median.mjs'

const PAIRS = 5
const WARM_MS = 500
const MEASURED_MS = 3_000
const IN_FLIGHT = [1, 64]
const WORKER = fileURLToPath(new URL('processes/echo-worker.mjs', import.meta.url))

/** Returns the requests per second. */
async function rateOf(replicas: Replicas, durability: 'local' | 'replicated:1', inFlight: number): Promise<number> {
  const worker = startProcess([WORKER, replicas.url, String(inFlight), durability])
  try {
    await worker.line(/ready/)
    await using space = await openSpace(replicas.url, { durability })
    const load = echoLoad(space, inFlight)
    await load(WARM_MS)
    return ((await load(MEASURED_MS)) * 1000) / MEASURED_MS
  } finally {
    worker.kill('SIGKILL')
    await worker.exited
  }
}

const replicas = await startReplicas({ replicas: 1, appendonly: true })
try {
  for (const inFlight of IN_FLIGHT) {
    const ratios: number[] = []
    for (let pair = 0; pair < PAIRS; pair++) {
      const local = await rateOf(replicas, 'local', inFlight)
      ratios.push(local / (await rateOf(replicas, 'replicated:1', inFlight)))
    }
    const [least, most] = [Math.min(...ratios), Math.max(...ratios)].map((ratio) => ratio.toFixed(2))
    console.log(
      `${inFlight} in flight: replicated:1 takes ${median(ratios).toFixed(2)} × the time of local (${least} to ${most})`,
    )
  }
} finally {
  await replicas.stop()
}

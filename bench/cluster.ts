/**
 * `npm run bench:cluster`: what a Cluster of three primaries carries beside one primary, as the CPU that the busiest node
 * takes per request: on a machine of few cores the nodes share them. As many requests are in flight for each primary.
 */
import { fileURLToPath } from 'node:url'
import { openSpace } from '../dist/src/index.js'
import { startCluster } from '../test/support/cluster.js'
import { startProcess } from '../test/support/process.js'
import { echoLoad } from './echo-load.js'
import { median } from './median.mjs'

const IN_FLIGHT_EACH = 512
const WARM_MS = 1_000
const MEASURED_MS = 4_000
const TURNS = 5
const PRIMARIES = 3
const WORKER = fileURLToPath(new URL('processes/echo-worker.mjs', import.meta.url))

/** Seconds of CPU that a server has taken. */
const cpuOf = (info: string): number =>
  ['user', 'sys'].reduce((sum, of) => sum + Number(new RegExp(`used_cpu_${of}:([\\d.]+)`).exec(info)?.[1]), 0)

interface Cost {
  /** µs of CPU per request, of the busiest node and of all. */
  readonly busiest: number
  readonly all: number
}

async function measure(primaries: number): Promise<Cost> {
  const inFlight = IN_FLIGHT_EACH * primaries
  const cluster = await startCluster({ primaries, replicas: 0 })
  const worker = startProcess([WORKER, cluster.url, String(inFlight)])
  try {
    await worker.line(/ready/)
    await using space = await openSpace(cluster.url)
    const load = echoLoad(space, inFlight)
    const cpus = (): Promise<number[]> =>
      Promise.all(cluster.nodes.map(async (node) => cpuOf(await node.cli('INFO', 'cpu'))))
    await load(WARM_MS)
    const before = await cpus()
    const requests = await load(MEASURED_MS)
    const taken = (await cpus()).map((cpu, i) => ((cpu - before[i]!) * 1e6) / requests)
    return { busiest: Math.max(...taken), all: taken.reduce((sum, cpu) => sum + cpu, 0) }
  } finally {
    worker.kill('SIGKILL')
    await worker.exited
    await cluster.stop()
  }
}

const ratios: number[] = []
for (let turn = 1; turn <= TURNS; turn++) {
  const [one, more] = [await measure(1), await measure(PRIMARIES)]
  ratios.push(one.busiest / more.busiest)
  const figures = [one.busiest, more.busiest, more.all].map((us) => us.toFixed(1))
  console.log(
    `turn ${turn}, µs of CPU per request: one primary ${figures[0]}; of ${PRIMARIES}, the busiest ${figures[1]}, all ${figures[2]}`,
  )
}
const [least, most] = [Math.min(...ratios), Math.max(...ratios)].map((ratio) => ratio.toFixed(2))
console.log(`${PRIMARIES} primaries carry ${median(ratios).toFixed(2)} × what one does (${least} to ${most})`)

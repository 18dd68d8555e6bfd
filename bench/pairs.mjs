/** Part (a): write+take pairs from one process, and request/reply between two, beside BullMQ on the same server. */
import { run } from './run.mjs'

const IN_FLIGHT = [1, 64, 512]
/** BullMQ is faster with fewer at times; the better one is what we are compared with. */
const BULLMQ_CONCURRENCY = [64, 512]
const OUR_CONCURRENCY = 512

export const pairs = {
  name: 'pairs',
  title: 'write + take by id, one process, pairs a second (200-byte field)',
  steps: ({ runs }) => IN_FLIGHT.flatMap((inFlight) => times(runs, (n) => step('takespace', inFlight, n, writeTake))),
  baselines: [],
}

export const requestReply = {
  name: 'rr',
  title: 'request/reply, client process → worker process → client, round trips a second (200 bytes, leases kept)',
  steps: ({ runs }) => IN_FLIGHT.flatMap((inFlight) => times(runs, (n) => round(inFlight, n)).flat()),
  baselines: BULLMQ_CONCURRENCY.map((concurrency) => `BullMQ, worker concurrency ${concurrency}`),
}

/** Each contender once, in turns forwards and backwards, so that a slow stretch of the machine hurts all. */
function round(inFlight, n) {
  const all = [
    step('takespace', inFlight, n, echo('takespace', OUR_CONCURRENCY)),
    ...BULLMQ_CONCURRENCY.map((concurrency) =>
      step(`BullMQ, worker concurrency ${concurrency}`, inFlight, n, echo('bullmq', concurrency)),
    ),
  ]
  return n % 2 === 0 ? all : all.reverse()
}

const step = (contender, inFlight, n, measure) => ({
  contender,
  group: `${inFlight} in flight`,
  run: n,
  measure: (bench) => measure(bench, inFlight),
})

const writeTake = (bench, inFlight) =>
  run(bench, async () => {
    const driver = await bench.children.fork('write-take', 'write-take', optionsOf(bench, inFlight))
    return { driver, roles: { client: [driver.pid] } }
  })

const echo = (library, concurrency) => (bench, inFlight) =>
  run(bench, async () => {
    const options = { ...optionsOf(bench, inFlight), concurrency }
    const worker = await bench.children.fork(`rr-${library}-worker`, `${library}-worker`, options)
    const driver = await bench.children.fork(`rr-${library}-client-${inFlight}`, `${library}-client`, options)
    return { driver, roles: { client: [driver.pid], workers: [worker.pid] } }
  })

const optionsOf = ({ redis, warmUpMs, seconds }, inFlight) => {
  const { url, port } = redis
  return { url, port, inFlight, warmUpMs, seconds }
}

const times = (count, make) => Array.from({ length: count }, (_, n) => make(n))

/** Part pairs: entries written and taken by id, from one process. */
import { run } from '../run.mjs'

const IN_FLIGHT = [1, 64, 512]

export const pairs = {
  name: 'pairs',
  title: 'write + take by id, one process, pairs a second (200-byte field)',
  steps: ({ runs }) => IN_FLIGHT.flatMap((inFlight) => times(runs, (n) => step('takespace', inFlight, n, writeTake))),
  baselines: [],
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

const optionsOf = ({ redis, warmUpMs, seconds }, inFlight) => {
  const { url, port } = redis
  return { url, port, inFlight, warmUpMs, seconds }
}

const times = (count, make) => Array.from({ length: count }, (_, n) => make(n))

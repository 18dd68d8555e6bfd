/** Question C: latency when workers and requests are unequal, beside HAProxy's policies, with one front end and with four. */
import { measure } from '../../run.mjs'
import { FACTORS, groupOf, SETUPS, SLOTS, startSetup } from './setups.mjs'

const KINDS = [
  { upTo: 0.9, ms: 5 },
  { upTo: 1, ms: 200 },
]
const LOAD = 0.8
const SEED = 20_261_130
const WARM_UP_MS = 1_000
/** Percentiles of unequal work need many requests. */
const SECONDS_FACTOR = 4
const QUICK = ['takespace', 'HAProxy leastconn, maxconn 4', 'HAProxy leastconn, maxconn 1 each', 'HAProxy roundrobin']

const meanMs = KINDS.reduce((sum, { upTo, ms }, i) => sum + (upTo - (KINDS[i - 1]?.upTo ?? 0)) * ms, 0)
const capacity = FACTORS.reduce((sum, factor) => sum + (1000 * SLOTS) / (factor * meanMs), 0)
const perSecond = Math.round(LOAD * capacity)

const ratio = (group, of, against, target) => ({ group, of, against, key: 'p99', target })
const [ONE, FOUR] = [1, 4].map(groupOf)

export const question = {
  letter: 'C',
  name: 'uneven-work',
  title: 'How long do requests take when workers and work are unequal?',
  how: `Four workers, ${SLOTS} requests at a time each, one worker ${Math.max(...FACTORS)} × slower. 90 % of the requests take 5 ms, 10 % take 200 ms (they
wait, they do not compute). Open loop: ${perSecond} requests a second at an even pace, 80 % of the capacity of ${Math.round(capacity)}, the same
sequence for all; latency counts from the intended moment. Requests that are still open 3 s after the end count with
their age. Worker processes of HAProxy queue what they cannot handle yet. \`maxconn\` tells HAProxy the slots of a worker:
4, or 1 for each of four front ends; takespace is told nothing. Each measurement
lasts ${SECONDS_FACTOR} × the seconds stated below.`,
  packages: [],
  groups: [ONE, FOUR],
  programs: ['haproxy'],
  columns: [
    { key: 'p50', title: 'p50 ms', digits: 1 },
    { key: 'p99', title: 'p99 ms', digits: 0, spread: true },
    { key: 'p999', title: 'p99.9 ms', digits: 0 },
    { key: 'mean', title: 'mean ms', digits: 1 },
    { key: 'unfinished', title: 'unfinished', digits: 0 },
    { key: 'failed', title: 'failed', digits: 0 },
  ],
  ratios: [
    ratio(ONE, 'HAProxy leastconn, maxconn 4', 'takespace', '≥ 1.0'),
    ratio(ONE, 'HAProxy roundrobin', 'takespace', '≥ 10'),
    ratio(FOUR, 'HAProxy leastconn, maxconn 1 each', 'takespace', '≥ 1.3'),
    ratio(FOUR, 'HAProxy leastconn, maxconn 4 each', 'takespace', '≥ 1.3'),
    ratio(FOUR, 'HAProxy roundrobin', 'takespace', '≥ 10'),
  ],
  chart: { kind: 'dots', keys: ['p50', 'p99', 'p999'], unit: 'p50, p99 and p99.9 in ms, logarithmic', sorted: false },
  contenders: ({ quick }) => {
    const setups = SETUPS.filter(({ name, fronts }) => !quick || (fronts === 1 && QUICK.includes(name)))
    return setups.map((setup) => ({
      name: `${setup.name}, ${groupOf(setup.fronts)}`,
      measure: (bench) => measureSetup(bench, setup),
    }))
  },
}

/** One setup at a time: beside others it waits for the processor, and its workers do nothing meanwhile. */
async function measureSetup(bench, setup) {
  const { children, seconds, redis } = bench
  const sample = { contender: setup.name, group: groupOf(setup.fronts) }
  try {
    await redis.empty()
    const targets = await startSetup(bench, setup)
    const terms = { targets, perSecond, warmUpMs: WARM_UP_MS, seconds: seconds * SECONDS_FACTOR }
    const more = { kinds: KINDS, methods: ['GET'], seed: SEED }
    const driver = await children.fork('open-loop', 'open-loop', { ...terms, ...more })
    const found = await measure({ seconds: terms.seconds }, { driver, roles: { client: [driver.pid] } })
    const { p50, p99, p999, mean, unfinished, failures } = found
    return [{ ...sample, ...found, values: { p50, p99, p999, mean, unfinished, failed: failures.length } }]
  } catch (error) {
    return [{ ...sample, values: {}, errors: 1, firstError: error.message }]
  }
}
